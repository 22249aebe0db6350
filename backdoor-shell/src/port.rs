//! The agent's virtio port.

/// The name of the agent's virtio port: `-device virtserialport,name=…`. In a guest without
/// it, the agent uses the console.
pub const PORT: &str = "org.vmwright.shell";
