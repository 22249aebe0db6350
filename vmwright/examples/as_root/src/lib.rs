//! A crate whose tests only root passes. With vmwright as cargo's runner, each test binary runs as
//! root in a fresh machine, and the host does not notice:
//!
//! ```sh
//! cd vmwright/examples/as_root
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="vmwright run --host-root --" cargo test --tests
//! ```

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::{env, fs};

    #[test]
    fn a_file_system_is_mounted() {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "tmpfs", "/mnt"]);
        assert!(mount.status().unwrap().success());
        fs::write("/mnt/file", "in the machine's memory").unwrap();
    }

    #[test]
    fn a_file_of_the_system_is_changed() {
        fs::write("/etc/as-root", "").unwrap();
    }

    #[test]
    fn the_directory_and_the_variables_are_those_of_cargo() {
        let dir = env::current_dir().unwrap();
        assert_eq!(dir, Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(dir.join("src/lib.rs").exists());
        assert_eq!(env::var_os("CARGO_MANIFEST_DIR").unwrap(), *dir);
    }

    /// With `AS_ROOT_FAILS` in the environment.
    #[test]
    fn a_failure_is_that_of_the_test() {
        assert_eq!(env::var_os("AS_ROOT_FAILS"), None);
    }
}
