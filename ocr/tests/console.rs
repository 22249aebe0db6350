//! Consoles of real guests are read without an error, and nothing else is read.
