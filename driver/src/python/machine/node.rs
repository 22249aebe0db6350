//! A virtual machine or a container: what a script starts.

use std::ops::Deref;

use machine::{Container, ContainerCommand, Guest, Machine, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::python::vlan::Vlan;
use crate::run::container_root::ContainerRoot;

/// A machine or a container, with the operations that both have.
#[derive(Clone)]
pub(super) enum Node {
    Machine(Machine),
    Container(Container),
}

impl Node {
    pub(super) fn unchecked(self) -> Self {
        match self {
            Self::Machine(vm) => Self::Machine(vm.unchecked()),
            Self::Container(container) => Self::Container(container.unchecked()),
        }
    }

    pub(super) async fn start(&self) -> Result<()> {
        match self {
            Self::Machine(vm) => vm.start().await,
            Self::Container(container) => container.start().await,
        }
    }

    pub(super) async fn reboot(&self) -> Result<()> {
        match self {
            Self::Machine(vm) => vm.reboot().await,
            Self::Container(container) => container.reboot().await,
        }
    }

    pub(super) async fn crash(&self) -> Result<()> {
        match self {
            Self::Machine(vm) => vm.crash().await,
            Self::Container(container) => container.crash().await,
        }
    }

    pub(super) async fn block(&self) -> Result<()> {
        match self {
            Self::Machine(vm) => vm.block().await,
            Self::Container(container) => container.block().await,
        }
    }

    pub(super) async fn unblock(&self) -> Result<()> {
        match self {
            Self::Machine(vm) => vm.unblock().await,
            Self::Container(container) => container.unblock().await,
        }
    }

    pub(super) fn release(&self) {
        match self {
            Self::Machine(vm) => vm.release(),
            Self::Container(container) => container.release(),
        }
    }
}

impl Deref for Node {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        match self {
            Self::Machine(vm) => vm.guest(),
            Self::Container(container) => container.guest(),
        }
    }
}

/// A container, if a start command's description is one: of the start script or the root
/// `container`, on the networks `vlans`, with the names `nodes` on them.
pub(super) fn container(
    description: &Bound<'_, PyDict>,
    name: &str,
) -> PyResult<Option<machine::ContainerBuilder>> {
    let Some(path) = description.get_item("container")? else {
        return Ok(None);
    };
    let path: std::path::PathBuf = path.extract()?;
    let command = ContainerCommand::new(name);
    let command = match ContainerRoot::at(&path) {
        ContainerRoot::OciLayout => command.oci_layout(path),
        ContainerRoot::Directory => command.root_dir(path),
        ContainerRoot::Archive => command.root_tar(path),
        ContainerRoot::StartScript => command.start_script(path),
    };
    let nodes: Vec<String> = description.as_any().get_item("nodes")?.extract()?;
    let mut builder = Container::builder(command).nodes(nodes);
    for vlan in description.as_any().get_item("vlans")?.try_iter()? {
        let vlan = vlan?.extract::<PyRef<'_, Vlan>>()?;
        if let Some(switch) = vlan.switch() {
            builder = builder.vlan(switch);
        }
    }
    Ok(Some(builder))
}
