//! Clones on one network.

use futures_util::future::try_join_all;
use machine::{ErrorKind, Machine, Template, TemplateBuilder, Vlan};
use vm_tests::template;

use super::has_booted;
use super::kinds::minimal_typed;

#[tokio::test]
async fn clones_on_one_network_reach_each_other() {
    reach_each_other(template("minimal")).await;
}

/// Their cards are connected by the driver, not by a start script.
#[tokio::test]
async fn clones_of_a_typed_command_reach_each_other() {
    reach_each_other(Template::builder(minimal_typed())).await;
}

async fn reach_each_other(template: TemplateBuilder) {
    let cache = tempfile::tempdir().unwrap();
    let template = template.cache_dir(cache.path()).vlan(1);
    let template = template.build().await.unwrap();
    assert_eq!(template.unsupported_reason(), None);
    let dir = tempfile::tempdir().unwrap();
    let vlan = Vlan::start(1, dir.path()).await.unwrap();
    let clones = ["one", "other"].map(|name| {
        let vlan = &vlan;
        template.clone_with(move |builder| builder.name(name).vlan(vlan))
    });
    let clones = try_join_all(clones).await.unwrap();
    for (vm, number) in clones.iter().zip(1..) {
        assert!(!has_booted(vm));
        // The template's clones have the same address.
        let address = format!(
            "ip address flush dev eth1; ip address add 192.168.1.{number}/24 dev eth1; \
             ip link set eth1 up; echo {number} >/tmp/number; nc -ll -p 80 -e cat /tmp/number >&2 &"
        );
        vm.succeed(address).await.unwrap();
    }
    let mac = async |vm: &Machine| vm.succeed("cat /sys/class/net/eth1/address").await;
    let [one, other] = &clones[..] else {
        unreachable!()
    };
    assert_ne!(mac(one).await.unwrap(), mac(other).await.unwrap());
    for (vm, peer) in [(one, 2), (other, 1)] {
        let request = format!("nc 192.168.1.{peer} 80 </dev/null");
        let answer = vm.wait_until_succeeds(request).await.unwrap();
        assert_eq!(answer, format!("{peer}\n"));
    }
}

#[tokio::test]
async fn a_clone_without_the_network_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    let template = template("minimal").cache_dir(cache.path()).vlan(7);
    let template = template.build().await.unwrap();
    let error = template.clone_machine().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Template { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("network 7"), "{error}");
}
