use clap::CommandFactory as _;

use super::*;

#[test]
fn the_options_of_the_reference_driver_are_accepted() {
    let cli = Cli::parse_from([
        "driver",
        "-K",
        "--start-scripts",
        "run-a-vm",
        "run-b-vm",
        "--vlans",
        "1",
        "2",
        "--output_directory",
        "out",
        "test.py",
    ]);
    let start_scripts = cli.start_scripts.unwrap();
    assert_eq!(
        start_scripts,
        [PathBuf::from("run-a-vm"), "run-b-vm".into()]
    );
    assert_eq!(cli.vlans.unwrap(), [1, 2]);
    assert_eq!(cli.test_script, Some("test.py".into()));
    assert!(cli.keep_vm_state && !cli.interactive);
}

fn with(args: &[&str], environment: &[(&str, &str)]) -> Result<Cli, String> {
    let args = ["driver"].iter().chain(args);
    Cli::parse_from(args).or_environment(|name| {
        let set = environment.iter().find(|(variable, _)| *variable == name);
        set.map(|(_, value)| value.into())
    })
}

#[test]
fn options_take_precedence_over_variables() {
    let environment = [
        ("startScripts", " /a/run-a-vm\t/b/run-b-vm\n"),
        ("vlans", "1  2"),
        ("globalTimeout", "3"),
        ("testScript", "a test.py"),
    ];
    let cli = with(&[], &environment).unwrap();
    let start_scripts = cli.start_scripts.unwrap();
    assert_eq!(
        start_scripts,
        [PathBuf::from("/a/run-a-vm"), "/b/run-b-vm".into()]
    );
    assert_eq!(cli.vlans.unwrap(), [1, 2]);
    assert_eq!(cli.global_timeout, Some(Duration::from_secs(3)));
    assert_eq!(cli.test_script, Some("a test.py".into()));

    let args = [
        "--start-scripts",
        "/c d/run-c-vm",
        "--vlans",
        "--",
        "other.py",
    ];
    let cli = with(&args, &environment).unwrap();
    assert_eq!(cli.start_scripts.unwrap(), [PathBuf::from("/c d/run-c-vm")]);
    assert_eq!(cli.vlans.unwrap(), [0; 0]);
    assert_eq!(cli.test_script, Some("other.py".into()));
}

#[test]
fn an_empty_variable_is_an_empty_list_or_no_value() {
    let names = ["startScripts", "vlans", "globalTimeout", "testScript"];
    let cli = with(&[], &names.map(|name| (name, ""))).unwrap();
    assert!(cli.start_scripts.unwrap().is_empty() && cli.vlans.unwrap().is_empty());
    assert!(cli.global_timeout.is_none() && cli.test_script.is_none());
}

#[test]
fn invalid_numbers_are_reported() {
    let error = with(&[], &[("vlans", "1 one")]).unwrap_err();
    assert!(
        error.contains("vlans") && error.contains("\"one\""),
        "{error}"
    );
    for (variable, text) in [
        ("globalTimeout", "0"),
        ("globalTimeout", "10 20"),
        ("logLevel", "info debug"),
    ] {
        let error = with(&[], &[(variable, text)]).unwrap_err();
        let expected = format!("variable {variable}: {text:?}");
        assert!(error.starts_with(&expected), "{error}");
    }
    let args = ["driver", "--global-timeout", "0", "test.py"];
    let error = Cli::try_parse_from(args).unwrap_err().to_string();
    assert!(error.contains("not a number from 1"), "{error}");
}

#[test]
fn the_declaration_is_valid() {
    Cli::command().debug_assert();
}

/// As Nix passes them.
#[test]
fn long_options_may_be_abbreviated() {
    let cli = Cli::parse_from([
        "driver",
        "--junit=junit.xml",
        "--debug-hook=attach",
        "--keep-m",
        "--out",
        "dir",
        "--dump-v=3",
    ]);
    assert_eq!(cli.junit_xml, Some("junit.xml".into()));
    assert_eq!(cli.debug_hook_attach.as_deref(), Some("attach"));
    assert_eq!(cli.output_directory, PathBuf::from("dir"));
    assert!(cli.keep_vm_state && cli.dump_vsocks == 3);
    let ambiguous = Cli::try_parse_from(["driver", "--vm", "a"]);
    ambiguous.unwrap_err();
}

#[test]
fn the_last_of_opposite_options_wins() {
    let interactive = |args: &[&str]| {
        let args = ["driver"].iter().chain(args);
        Cli::parse_from(args).interactive
    };
    assert!(!interactive(&["-I", "--no-interactive"]));
    assert!(interactive(&["--no-interactive", "-I"]));
    assert!(!interactive(&["--no-interactive"]));
}

#[test]
fn the_variables_of_the_second_generation() {
    let environment = [
        ("vmNames", "a b"),
        ("vmStartScripts", "/a.sh /b.sh"),
        ("startScripts", "/older.sh"),
        ("containerNames", ""),
        ("logLevel", "warning"),
    ];
    let cli = with(&[], &environment).unwrap();
    assert_eq!(cli.vm_names.unwrap(), ["a", "b"]);
    let scripts = [PathBuf::from("/a.sh"), "/b.sh".into()];
    assert_eq!(cli.start_scripts.unwrap(), scripts);
    assert_eq!(cli.container_names.unwrap(), [""; 0]);
    assert_eq!(cli.log_level, Some(LogLevel::Warning));
    assert!(cli.started_by_nix);

    // Names belong to the scripts beside which they were given.
    let args = ["--start-scripts", "/c.sh", "--log-level", "debug"];
    let cli = with(&args, &environment).unwrap();
    assert_eq!(cli.vm_names, None);
    assert_eq!(cli.log_level, Some(LogLevel::Debug));
    assert!(!cli.started_by_nix);
}

#[test]
fn a_log_level_that_does_not_exist_is_an_error() {
    let error = with(&[], &[("logLevel", "loud")]).unwrap_err();
    assert!(
        error.contains("logLevel: \"loud\": not debug, info"),
        "{error}"
    );
    let error = Cli::try_parse_from(["driver", "--log-level", "loud"]).unwrap_err();
    assert!(error.to_string().contains("not debug, info"), "{error}");
}
