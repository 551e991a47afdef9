//! Real sessions over TCP on this computer, free ports, no scouting.

#[cfg(test)]
mod authority;
#[cfg(test)]
mod bus;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod ring;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod viewer;
