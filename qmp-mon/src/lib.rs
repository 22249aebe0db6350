//! QEMU's two monitors, HMP and QMP: codecs and async clients
