//! The host half as one service: offline gate, supervisor, proxy.
