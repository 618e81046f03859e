//! What the product promises, on a real kube-apiserver and a real Argo CD.

mod adopt;
mod anywhere;
mod articles;
mod asked;
mod availability;
mod bypass;
mod cert_manager;
mod converging;
mod crash;
mod docs;
mod fields;
mod forged;
mod freight_in;
mod instances;
mod kinds;
mod outage;
mod owners;
mod parity;
mod promotions;
mod refusals;
mod rendered;
mod renewal;
mod reviews;
mod uninstall;
mod uploads;
mod wharf;
