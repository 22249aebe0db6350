use super::Run;

const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Creates, reads and writes variables, before the machine runs, meanwhile and afterwards.
const SCRIPT: &str = "\
import uuid
from test_driver.efi import EfiGuid, EfiVariable
from test_driver.errors import RequestedAssertionFailed

vendor = uuid.UUID('12345678-9abc-def0-1234-56789abcdef0')
assert machine.read_efi_vars() == []
machine.create_efi_vars()
assert machine.efi_vars_path == machine.state_dir / 'machine-efi-vars.fd'
assert machine.efi_vars_path.exists() and machine.read_efi_vars() == []
try:
    machine.create_efi_vars()
except RequestedAssertionFailed as error:
    assert 'exists' in str(error), error
else:
    raise Exception('made a second file')

flags = EfiVariable.Flags.NON_VOLATILE | EfiVariable.Flags.BOOTSERVICE_ACCESS
machine.write_efi_vars([
    EfiVariable(vendor_uuid=vendor, name='One', data=b'first', flags=flags),
    EfiVariable(vendor, 'Other', bytes(7)),
])
machine.write_efi_vars([EfiVariable(vendor, 'One', b'second', flags=flags)])
machine.write_efi_vars([EfiVariable(EfiGuid.gEfiGlobalVariableGuid, 'Timeout', b'\\0\\0')])
one, other, timeout = machine.read_efi_vars()
assert (one.name, one.data, one.flags) == ('One', b'second', flags)
assert one.vendorUUID == uuid.UUID(bytes=vendor.bytes_le)
assert timeout.vendorUUID == EfiGuid.gEfiGlobalVariableGuid
assert one.boot_access and not one.volatile and not one.runtime_access and other.volatile
machine.dump_efi_vars()
content = machine.efi_vars.read_content()
assert content[str(vendor)]['Other'].data == bytes(7), content

machine.start()
for operation in (
    machine.create_efi_vars,
    machine.read_efi_vars,
    machine.dump_efi_vars,
    lambda: machine.write_efi_vars([]),
):
    try:
        operation()
    except RequestedAssertionFailed as error:
        assert 'runs' in str(error), error
    else:
        raise Exception('used the variables of a machine that runs')
machine.crash()
try:
    machine.write_efi_vars([EfiVariable(vendor, 'Big', bytes(1 << 20))])
except Exception as error:
    assert 'fit' in str(error), error
for damaged in b'', bytes(1000), machine.efi_vars_path.read_bytes()[:100]:
    machine.efi_vars_path.write_bytes(damaged)
    try:
        machine.read_efi_vars()
    except Exception as error:
        assert 'machine: the EFI variables can' in str(error), error
    else:
        raise Exception('read a damaged file')
";

#[test]
fn efi_variables_are_read_and_written() {
    let output = Run::booting(&[("machine", "minimal")]).run(SCRIPT).passed();
    assert_eq!(
        output,
        "\
12345678-9abc-def0-1234-56789abcdef0 One: flags 0x3, data 73 65 63 6f 6e 64
12345678-9abc-def0-1234-56789abcdef0 Other: flags 0x0, data 00 00 00 00 00 00 00
8be4df61-93ca-11d2-aa0d-00e098032b8c Timeout: flags 0x0, data 00 00
"
    );
}

/// A new file is as OVMF's own, and OVMF keeps and adds variables.
#[test]
fn ovmf_accepts_the_efi_variables() {
    let script = format!(
        "\
import uuid
from pathlib import Path
from test_driver.efi import EfiGuid, EfiVariable

machine.create_efi_vars()
assert machine.efi_vars_path.read_bytes() == Path('{VARIABLES}').read_bytes()
vendor = uuid.UUID('12345678-9abc-def0-1234-56789abcdef0')
machine.write_efi_vars([EfiVariable(vendor, 'Ours', b'*', flags=7)])
flash = '-drive if=pflash,format=raw,unit='
machine.start_command._cmd += f' {{flash}}0,readonly=on,file={CODE} {{flash}}1,file=$NIX_EFI_VARS'
machine.wait_for_console_text('Linux version')
machine.crash()
variables = {{variable.name: variable for variable in machine.read_efi_vars()}}
assert variables['Ours'].data == b'*' and variables['Ours'].flags == 7
assert variables['Boot0000'].vendorUUID == EfiGuid.gEfiGlobalVariableGuid, list(variables)
print(*sorted(variables))
"
    );
    let output = Run::booting(&[("machine", "console")])
        .run(&script)
        .passed();
    assert!(output.contains("BootOrder"), "{output}");
}
