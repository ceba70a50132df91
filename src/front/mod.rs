//! A hyper server for the host half: accepts, speaks HTTP/1.1 and HTTP/2, limits, drains.
