//! Keeps the app's process: starts it, waits until it listens, replaces it when it dies, stops it.
