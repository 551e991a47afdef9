//! The recorder with real sessions, a real store and real seals.

#[cfg(test)]
mod clock;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod fallen;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod lossy;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod resend;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod trip;
