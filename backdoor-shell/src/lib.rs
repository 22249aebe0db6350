//! A root shell over a byte stream: codec and async client
