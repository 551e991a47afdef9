//! The live view through real sessions, read back from the file it wrote.

#[cfg(test)]
mod pipe;
#[cfg(test)]
mod program;
#[cfg(test)]
mod rrd;
#[cfg(test)]
mod view;
