"""The machines of a run."""

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Tuple, Union

from test_driver import threads, vsock
from test_driver.config import DriverConfiguration
from test_driver.errors import MachineError
from test_driver.failure import error_id, is_infrastructure
from test_driver.logger import Logger
from test_driver.machine import BaseMachine, Machine, NspawnMachine
from test_driver.polling_condition import ConditionCheck, Conditions
from test_driver.race_timer import RaceTimer
from test_driver.start_command import CloudImage, Container, Kernel, NixStartScript, StartCommand
from test_driver.tmp_dir import get_tmp_dir
from test_driver.vlan import VLan


class Machines(Conditions):
    """The machines of a driver."""

    config: DriverConfiguration
    logger: Logger
    out_dir: Path
    tmp_dir: Path
    vlans: List[VLan]
    keep_machine_state: bool
    race_timer: RaceTimer
    machines: List[BaseMachine]
    machines_qemu: List[Machine]
    machines_nspawn: List[NspawnMachine]
    # None if the machines have no virtual sockets for SSH.
    vhost_vsock: Optional[vsock.VHostDeviceVsock] = None
    # Those of `create_machine`.
    _created: List[Machine]
    _templates: Optional[Path]
    # VM_NODES before this driver, and the value that drivers have set, not the user.
    _outer_nodes: Optional[str] = None
    _sets_nodes = False
    _known_nodes: ClassVar[Optional[str]] = None
    # If it is not 0, the start scripts give the machines the identifiers after it.
    _vsocks: int

    def all_machines(self) -> List[BaseMachine]:
        """Those of the configuration, and those that the script has created."""
        return [*self.machines, *self._created]

    def _create_machines(self) -> None:
        self._set_nodes()
        if self.config.enable_ssh_backdoor and self.config.vms:
            self._create_vsocks()
        for name, vm in self.config.vms.items():
            pair = self.vhost_vsock.sockets[name] if self.vhost_vsock is not None else None
            machine = Machine(
                out_dir=self.out_dir,
                tmp_dir=self.tmp_dir,
                start_command=vm.start_command(),
                logger=self.logger,
                name=name,
                keep_machine_state=self.keep_machine_state,
                callbacks=[ConditionCheck(self)],
                vsock_guest=pair and pair.guest,
                vsock_host=pair and pair.host,
                vsock_daemon=pair and pair.daemon,
                templates=self._templates,
            )
            self.machines_qemu.append(machine)
            self.machines.append(machine)
        for name, container in self.config.containers.items():
            nspawn = self._create_container(name, container.start_script)
            self.machines_nspawn.append(nspawn)
            self.machines.append(nspawn)

    def _create_container(self, name: str, path: Path) -> NspawnMachine:
        # As the start scripts of machines choose them.
        variable = "VM_VLANS_" + re.sub(r"[^A-Za-z0-9]", "_", name)
        chosen = os.environ.get(variable, os.environ.get("VM_VLANS"))
        vlans = [
            vlan._switch
            for vlan in self.vlans
            if chosen is None or str(vlan.nr) in chosen.split()
        ]
        nodes = os.environ.get("VM_NODES", "").split()
        return NspawnMachine(
            out_dir=self.out_dir,
            tmp_dir=self.tmp_dir,
            start_command=Container(path, vlans, nodes),
            logger=self.logger,
            name=name,
            keep_machine_state=self.keep_machine_state,
            callbacks=[ConditionCheck(self)],
        )

    def _set_nodes(self) -> None:
        """Sets the names that start scripts number the machines by, and pass to the guests,
        unless the user has set them."""
        self._outer_nodes = os.environ.get("VM_NODES")
        self._sets_nodes = self._outer_nodes == Machines._known_nodes
        if self._sets_nodes:
            nodes = [*self.config.vms, *self.config.containers]
            Machines._known_nodes = " ".join(sorted(nodes))
            os.environ["VM_NODES"] = Machines._known_nodes

    def _restore_nodes(self) -> None:
        """Sets what the driver of the script that runs this one had set."""
        if not self._sets_nodes:
            return
        self._sets_nodes = False
        Machines._known_nodes = self._outer_nodes
        if self._outer_nodes is None:
            os.environ.pop("VM_NODES", None)
        else:
            os.environ["VM_NODES"] = self._outer_nodes

    def _create_vsocks(self) -> None:
        if not vsock.is_available():
            self.logger.warning(
                f"the machines have no SSH backdoor: {vsock.PROGRAM} is not in PATH"
            )
            return
        self.vhost_vsock = vsock.VHostDeviceVsock(self.tmp_dir, self.config.vms)
        if self._templates is not None:
            self.logger.warning(
                "the machines boot: one with an SSH backdoor can't continue from a template"
            )
            self._templates = None

    def start_all(self) -> None:
        """Starts all machines, at the same time. Raises a MachineError that has the reasons
        of all that can't start."""
        with self.logger.nested("start all VMs") as step:
            starts = [partial(step.run, machine.start) for machine in self.machines]
            names = [machine.name for machine in self.machines]
            failures = {
                name: failure
                for name, failure in zip(names, threads.run_all(starts))
                if failure is not None
            }
            if len(failures) == 1:
                raise next(iter(failures.values()))
            if failures:
                raise _all_of("Failed to start the following machines:", failures)

    def join_all(self) -> None:
        """Waits until all machines are off, then stops the time limit."""
        with self.logger.nested("wait for all VMs to finish"):
            for machine in self.machines:
                machine.wait_for_shutdown()
            self.race_timer.cancel()

    def create_machine(
        self,
        start_command: Union[str, Dict[str, Any], None] = None,
        *,
        image: Union[str, Path, None] = None,
        kernel: Union[str, Path, None] = None,
        name: Optional[str] = None,
        keep_vm_state: bool = False,
        keep_machine_state: bool = False,
        shell: bool = True,
    ) -> Machine:
        """Creates a machine from a start script or another shell command that starts QEMU,
        from a cloud image or another disk with systemd, or from a Linux kernel with this host's
        root directory; a dictionary is deprecated. It replaces an earlier machine of this name that does not
        run. `keep_machine_state` is the newer name of `keep_vm_state`. With `shell=False`, its
        guest is firmware, an installer or another system without a root shell: operations that
        need one fail at once."""
        if self.vhost_vsock is not None and not self._created:
            self.logger.warning("machines of create_machine have no SSH backdoor")
        keep_vm_state = keep_vm_state or keep_machine_state
        if sum(it is not None for it in (start_command, image, kernel)) != 1:
            raise TypeError("create_machine needs a start command, an image or a kernel")
        command: StartCommand
        if isinstance(start_command, dict):
            if name is not None or keep_vm_state:
                raise TypeError("a dictionary must be create_machine's only argument")
            self.logger.warning("create_machine with a dictionary is deprecated")
            command, name = _from_dictionary(start_command)
            keep_vm_state = start_command.get("keep_vm_state", False)
        else:
            if image is not None:
                command = CloudImage(image)
            elif kernel is not None:
                command = Kernel(kernel)
            else:
                command = NixStartScript(str(start_command))
            name = name or command.machine_name
        tmp_dir = get_tmp_dir() if keep_vm_state else self.tmp_dir
        self._remove_stopped(name, tmp_dir)
        machine = Machine(
            out_dir=self.out_dir,
            tmp_dir=tmp_dir,
            start_command=command,
            name=name,
            keep_vm_state=keep_vm_state,
            callbacks=[ConditionCheck(self)],
            shell=shell,
            templates=None if keep_vm_state else self._templates,
        )
        self._created.append(machine)
        return machine

    def _remove_stopped(self, name: str, tmp_dir: Path) -> None:
        """Removes the state directories of machines of this name that do not run."""
        for machine in self.all_machines():
            is_same = (machine.name, machine.tmp_dir) == (name, tmp_dir)
            if is_same and machine._vm.pid is None:
                machine.release()
                machine._vm.cleanup_statedir()

    def dump_machine_ssh(self, offset: Optional[int] = None) -> None:
        """Prints how to reach the machines by SSH, if they have a virtual socket. `offset` is
        that of older versions of the NixOS test driver: what --dump-vsocks chooses."""
        vsocks = self._vsocks if offset is None else offset
        if self.vhost_vsock is not None:
            commands = [(vm.name, vm.ssh_backdoor_command()) for vm in self.machines_qemu]
        elif vsocks:
            names = enumerate((vm.name for vm in self.machines_qemu), start=vsocks + 1)
            commands = [(name, f"ssh -o User=root vsock/{cid}") for cid, name in names]
        else:
            return
        if commands:
            print(vsock.listing(commands), flush=True)
        else:
            print("SSH backdoor enabled, but no machines defined", flush=True)


def _all_of(summary: str, failures: Dict[str, Exception]) -> MachineError:
    """One error for those of several machines, by name."""
    lines = [f"{name}: {str(it).removeprefix(f'{name}: ')}" for name, it in failures.items()]
    error = MachineError("\n".join([summary, *lines]))
    error.infrastructure = any(map(is_infrastructure, failures.values()))
    # In the reports, the first is the reason.
    vars(error)["_vmwright_error_id"] = error_id(next(iter(failures.values())))
    return error


def _from_dictionary(args: Dict[str, Any]) -> Tuple[StartCommand, str]:
    """The start command and name of a machine that a dictionary describes."""
    command: StartCommand
    if args.get("startCommand"):
        command = NixStartScript(args["startCommand"])
        return command, args.get("name") or command.machine_name
    return Machine.create_startcommand(args), args.get("name") or "machine"
