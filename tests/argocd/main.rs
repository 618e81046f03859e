//! What the product promises, on a real kube-apiserver and a real Argo CD.

mod converging;
mod crash;
mod promotions;
