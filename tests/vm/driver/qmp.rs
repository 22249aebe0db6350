use super::Run;

#[test]
fn qmp_client_executes_commands() {
    let script = "\
from test_driver.machine.qmp import QMPAPIError, QMPSession
from test_driver.qmp import QMPSession as older_name

assert QMPSession is older_name and machine.qmp_client is None
machine.start()
client = machine.qmp_client
assert isinstance(client, QMPSession) and machine.qmp_client is client
assert client.send('query-status')['return']['status'] == 'running'
# Arguments can be any JSON, as for the buttons and axes of a mouse.
events = [
    {'type': 'rel', 'data': {'axis': axis, 'value': 5}} for axis in ('x', 'y')
] + [{'type': 'btn', 'data': {'down': down, 'button': 'left'}} for down in (True, False)]
assert client.send('input-send-event', {'events': events}) == {'return': {}}

for command, class_name in ('query-nope', 'CommandNotFound'), ('device_del', 'GenericError'):
    try:
        client.send(command)
    except QMPAPIError as error:
        assert isinstance(error, RuntimeError) and error.class_name == class_name, error
        assert error.description and error.transaction_id is None
        shown = f'<QMP API error related to transaction None [{class_name}]: '
        assert str(error) == f'{shown}{error.description}>', error
    else:
        raise Exception(f'{command} did not fail')
try:
    client.send('query-status', ['no', 'object'])
except QMPAPIError:
    raise
except Exception as error:
    assert 'JSON object' in str(error), error
client.close()
assert client.send('query-status')
machine.crash()
assert machine.qmp_client is None
machine.start()
assert machine.qmp_client.send('query-status') and machine.qmp_client is not client
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

#[test]
fn qmp_client_shares_events_with_wait_for_qmp_event() {
    let script = "\
from datetime import timedelta
from queue import Empty
machine.start()
client = machine.qmp_client
assert list(client.events()) == []
client.send('stop')
assert client.wait_for_event()['event'] == 'STOP'
client.send('cont')
client.send('stop')
assert machine.wait_for_qmp_event(lambda event: event['event'] == 'STOP')
# It has passed over the event of `cont`.
assert list(client.events()) == []
client.send('cont')
client.send('stop')
client.read_pending_messages()
assert client.pending_events.qsize() == 2 and client.results.empty()
assert machine.wait_for_qmp_event(lambda event: event['event'] == 'STOP')
assert client.pending_events.empty()
client.send('cont')
assert [event['event'] for event in client.events()] == ['RESUME']
for wait in (
    lambda: client.wait_for_event(timeout=timedelta(seconds=0.1)),
    lambda: machine.wait_for_qmp_event(lambda _: True, timeout=0.1),
):
    try:
        wait()
    except TimeoutError as error:
        assert isinstance(error, AssertionError) and 'no event' in str(error), error
    else:
        raise Exception('there was an event')
";
    Run::new(&[("machine", "minimal")]).run(script).passed();
}

/// A session of its own, with a second QMP server of QEMU's.
#[test]
fn a_session_connects_to_a_socket() {
    let script = "\
from test_driver.machine.qmp import QMPAPIError, QMPSession
path = machine.state_dir / 'second-qmp'
machine.start_command._cmd += f' -qmp unix:{path},server=on,wait=off'
machine.start()
session = QMPSession.from_path(path)
assert session.send('query-status')['return']['status'] == 'running'
session.send('stop')
session.send('cont', {})
assert session.wait_for_event()['event'] == 'STOP'
assert [event['event'] for event in session.events()] == ['RESUME']
try:
    session.send('query-nope')
except QMPAPIError as error:
    assert error.class_name == 'CommandNotFound'
try:
    session.wait_for_event(0.1)
except TimeoutError:
    pass
session.close()
";
    Run::booting(&[("machine", "minimal")]).run(script).passed();
}
