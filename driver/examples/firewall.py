"""A firewall, and a network link that goes down.

Machines `client` and `server` with systemd, on one network: --vlans 1
"""

start_all()
for machine in client, server:
    machine.wait_for_unit("multi-user.target")
server.succeed("systemd-run --unit listener nc -l -k 7777")
server.wait_for_open_port(7777)
reach = "nc -z -w 2 server 7777"

with subtest("an open port is reached"):
    client.wait_until_succeeds(reach)

with subtest("nftables closes it to other machines"):
    server.succeed(
        "nft add table inet filter",
        "nft add chain inet filter input '{ type filter hook input priority 0; }'",
        "nft add rule inet filter input iifname eth1 tcp dport 7777 drop",
    )
    client.fail(reach)
    client.wait_until_succeeds("ping -c 1 server")
    server.wait_for_open_port(7777)
    server.succeed("nft flush ruleset")
    client.wait_until_succeeds(reach)

with subtest("no packets arrive while the link is down"):
    server.block()
    client.fail("ping -c 1 -W 2 server")
    server.unblock()
    client.wait_until_succeeds("ping -c 1 -W 2 server")
