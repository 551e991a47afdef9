//! Journal, seal, episode folder, cursor, verify and repair.
