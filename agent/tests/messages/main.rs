//! Messages that machines publish, from the configuration to samples: against a real broker
//! (mosquitto), with TLS, and for each format that the documentation shows.

#[cfg(test)]
#[path = "../support/authority.rs"]
mod authority;
#[cfg(test)]
mod documented;
#[cfg(test)]
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod sparkplug;
#[cfg(test)]
mod topics;
