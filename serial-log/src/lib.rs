//! A serial console: codec, log and waits
