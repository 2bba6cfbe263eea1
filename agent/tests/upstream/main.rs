//! The way up against a real broker (`server`: of which make) and against one that misbehaves as told.

#[cfg(test)]
#[path = "../support/authority.rs"]
mod authority;
#[cfg(test)]
mod bad_link;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod current;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod judged;
#[cfg(test)]
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[cfg(test)]
#[path = "../support/relay.rs"]
mod relay;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod rotated;
#[cfg(test)]
mod secure;
#[cfg(test)]
#[path = "../support/server.rs"]
mod server;
#[cfg(test)]
mod sparkplug;
#[cfg(test)]
#[path = "../support/subscriber.rs"]
mod subscriber;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod twins;
