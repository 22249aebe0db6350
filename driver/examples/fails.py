"""A test that fails, as an example of the page trace.html.

Machines `client` and `server` with systemd, on one network: --vlans 1
"""

start_all()

with subtest("the server is up"):
    server.wait_for_unit("multi-user.target")
    server.succeed("mkdir -p /srv/web && echo Hello >/srv/web/index.html")
    log.info("no web server is started: this image has none")
    server.wait_for_text("login|root@")

with subtest("the client is up"):
    client.wait_for_unit("multi-user.target")
    client.wait_until_succeeds("ping -c 1 server")

with subtest("the client gets the page"):
    server.execute("ls -l /srv/web")
    client.succeed("ip -4 -oneline address; cat /etc/hosts")
    page = client.succeed("curl --silent --show-error --fail --max-time 5 http://server/ 2>&1")
    t.assertEqual(page, "Hello\n")
