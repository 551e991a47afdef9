//! Real sessions over TCP on this computer, free ports, no scouting.

#[cfg(test)]
mod bus;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod ring;
