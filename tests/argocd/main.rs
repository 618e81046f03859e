//! What the product promises, on a real kube-apiserver and a real Argo CD.

mod adopt;
mod availability;
mod converging;
mod crash;
mod docs;
mod forged;
mod instances;
mod kinds;
mod outage;
mod owners;
mod promotions;
mod refusals;
mod rendered;
mod uninstall;
mod wharf;
