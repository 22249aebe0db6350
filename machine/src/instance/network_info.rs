//! The output of `info network` in the human monitor.

/// The MAC addresses of the cards on networks shared with other machines: all cards that are
/// not on a user-mode network, which each machine has for itself.
///
/// ```text
/// virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56
///  \ net0: index=0,type=user,net=10.0.2.0,restrict=off
/// ```
pub(crate) fn shared_macs(info: &str) -> Vec<String> {
    let field = |line: &str, name: &str| {
        let mut fields = line.split([',', ' ']);
        fields.find_map(|field| field.strip_prefix(name).map(str::to_owned))
    };
    let mut macs = Vec::new();
    let mut card = None;
    for line in info.lines() {
        match field(line, "type=").as_deref() {
            Some("nic") => card = field(line, "macaddr="),
            Some("user") => card = None,
            _ => macs.extend(card.take()),
        }
    }
    macs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_on_a_user_network_are_not_shared() {
        let info = "virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\r\n \
             \\ net0: index=0,type=user,net=10.0.2.0,restrict=off\r\n\
             virtio-net-pci.1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:01:02\r\n \
             \\ vlan1: index=0,type=vde,sock=/tmp/vde1.ctl\r\n";
        assert_eq!(shared_macs(info), ["52:54:00:12:01:02"]);
        assert_eq!(shared_macs(""), [""; 0]);
    }
}
