//! Lets the program find the library of the Python that it was built with, which need
//! not be the system's.

fn main() {
    #[cfg(feature = "python")]
    pyo3_build_config::add_libpython_rpath_link_args();
}
