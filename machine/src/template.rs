//! Templates: machines that are booted once, then cloned.

mod cache;
mod first_start;
mod hash;
mod key;
mod lazy;
mod make;
mod prefetch;
mod step;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backdoor_shell::Command;
use futures_util::future::BoxFuture;
pub use lazy::LazyTemplate;

use self::cache::CacheEntry;
use self::prefetch::Prefetch;
use self::step::{Preparation, Step};
use crate::error::{ErrorKind, Result};
use crate::host::blocking::blocking;
use crate::instance::boot_source::BootSource;
use crate::instance::saved_state::SavedState;
use crate::machine::{Builder, Machine};
use crate::start::StartCommand;
use crate::unit::Unit;

/// A machine that was booted, prepared and saved: a handle, cheap to clone. Cloning it
/// takes a sixtieth of its boot time.
///
/// ```no_run
/// use machine::{StartScript, Template};
///
/// # async fn example() -> machine::Result<()> {
/// let template = Template::builder(StartScript::new("target/vm/systemd/run-systemd-vm"))
///     .wait_for_unit("multi-user.target")
///     .build() // boots it, unless that was done before
///     .await?;
/// let vm = template.clone_machine().await?;
/// assert_eq!(vm.succeed("hostname").await?, "systemd\n");
/// # Ok(())
/// # }
/// ```
///
/// Clones share the template's RAM and disks copy-on-write. Each has its own state
/// directory, clock, random numbers, machine id, and hardware addresses on networks with
/// other machines. Its console log starts empty, and a start after a shutdown boots.
///
/// [`LazyTemplate`] is a template in a `static`, for tests that share it.
///
/// A machine that can't be saved is booted and prepared for each clone instead, with a
/// warning.
///
/// # Cancellation
///
/// Dropping the future of an operation drops the machine that it was making.
#[derive(Clone, Debug)]
pub struct Template {
    recipe: Arc<Recipe>,
    entry: CacheEntry,
    saved: SavedState,
    host_name: Option<String>,
    allow_reboot: bool,
    prefetch: Option<Prefetch>,
}

/// Everything that a template is made from.
#[derive(Clone, Debug)]
struct Recipe {
    start: StartCommand,
    has_shell: bool,
    /// The template that this one extends, if any.
    parent: Option<Template>,
    steps: Vec<Step>,
    /// The numbers of the networks it is on.
    vlans: Vec<u32>,
    cache_dir: PathBuf,
}

impl Template {
    /// A template of a machine with this start command, to be configured further.
    pub fn builder(start: impl Into<StartCommand>) -> TemplateBuilder {
        TemplateBuilder {
            recipe: Recipe {
                start: start.into(),
                has_shell: true,
                parent: None,
                steps: Vec::new(),
                vlans: Vec::new(),
                cache_dir: PathBuf::from("target/vm/templates"),
            },
        }
    }

    /// A template that starts as a clone of this one, and shares its disks.
    pub fn extend(&self) -> TemplateBuilder {
        TemplateBuilder {
            recipe: Recipe {
                start: self.recipe.start.clone(),
                has_shell: self.recipe.has_shell,
                parent: Some(Self {
                    host_name: None,
                    allow_reboot: false,
                    ..self.plain()
                }),
                steps: Vec::new(),
                vlans: self.recipe.vlans.clone(),
                cache_dir: self.recipe.cache_dir.clone(),
            },
        }
    }

    /// Removes the templates in `cache_dir` that are not in use.
    ///
    /// # Errors
    /// The operating system's.
    pub fn clear(cache_dir: impl AsRef<Path>) -> io::Result<()> {
        cache::clear(cache_dir.as_ref())
    }

    /// A handle whose clones have the host name `name`. It has no effect on guests [without a
    /// shell](TemplateBuilder::without_shell).
    #[must_use]
    pub fn with_host_name(&self, name: impl Into<String>) -> Self {
        Self {
            host_name: Some(name.into()),
            ..self.plain()
        }
    }

    /// A handle whose clones may reboot, as after
    /// [`start_allowing_reboot`](Machine::start_allowing_reboot).
    #[must_use]
    pub fn allowing_reboot(&self) -> Self {
        Self {
            allow_reboot: true,
            ..self.plain()
        }
    }

    /// The log of the serial console up to the saving; the file does not exist if
    /// the machine [can't be saved](Self::unsupported_reason).
    pub fn console_log(&self) -> PathBuf {
        self.saved.console_log()
    }

    /// Why clones are booted, if that was known when this handle was made.
    pub fn unsupported_reason(&self) -> Option<&str> {
        self.saved.manifest.unsupported_reason.as_deref()
    }

    /// Makes a clone: a new machine that continues where this one was saved; connected.
    ///
    /// # Errors
    /// As [`Guest::connect`](crate::Guest::connect), and those of the preparation if it is repeated.
    ///
    /// # Cancellation
    /// The clone is dropped.
    pub async fn clone_machine(&self) -> Result<Machine> {
        match &self.prefetch {
            Some(prefetch) => self.take_prefetched(prefetch).await,
            None => self.clone_with(|builder| builder).await,
        }
    }

    /// The same with a name and directories of choice; never [prefetched](Self::prefetch).
    ///
    /// # Errors
    /// As [`clone_machine`](Self::clone_machine).
    ///
    /// # Cancellation
    /// The clone is dropped.
    pub async fn clone_with(
        &self,
        describe: impl Fn(Builder) -> Builder + Send,
    ) -> Result<Machine> {
        let builder = Machine::builder(self.recipe.start.clone()).shell(self.recipe.has_shell);
        let builder = describe(builder);
        if let Some(number) = self.recipe.vlans.iter().find(|it| !builder.is_on(**it)) {
            let reason = format!(
                "the template is on network {number}; say on which its clone is: \
                 `clone_with(|builder| builder.vlan(&vlan))`"
            );
            let kind = ErrorKind::Template {
                doing: "cloning".to_owned(),
                source: reason.into(),
                misuse: true,
            };
            return Err(builder.build()?.error(kind));
        }
        let saved = match self.current() {
            Ok(saved) => saved,
            Err(reason) => {
                let vm = builder.build()?;
                tracing::warn!(machine = vm.name(), "booted instead of cloned: {reason}");
                return self.boot(vm).await;
            }
        };
        // Other devices or a name may be why it fails, rather than the template.
        let is_another =
            builder.start_env().len() > self.recipe.vlans.len() || self.host_name.is_some();
        let source = BootSource::Saved(saved.clone());
        let vm = builder.clone().boot_source(source).build()?;
        let Err(error) = self.resume(&vm, &saved).await else {
            return Ok(vm);
        };
        // Booting would not help.
        if matches!(error.kind(), ErrorKind::BadArgument { .. }) {
            return Err(error);
        }
        tracing::warn!(machine = vm.name(), "booted instead of cloned: {error}");
        if !is_another {
            blocking(move || saved.failed(&error)).await;
        }
        // Kills QEMU and removes its disks.
        blocking(move || drop(vm)).await;
        self.boot(builder.build()?).await
    }

    /// Starts a machine where this one was saved, with another identity.
    async fn resume(&self, vm: &Machine, saved: &SavedState) -> Result<()> {
        self.start(vm).await?;
        match saved.vm() {
            Some(saved) => vm.become_clone(saved, self.host_name.as_deref()).await,
            None => Ok(()),
        }
    }

    /// The saved state; if it was damaged since, the one that another process made.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn current(&self) -> std::result::Result<SavedState, String> {
        let saved = match self.saved.check() {
            Ok(()) => self.saved.clone(),
            Err(reason) => {
                self.saved.invalidate();
                self.entry.open().ok().flatten().ok_or(reason)?
            }
        };
        match saved.unsupported_reason() {
            Some(reason) => Err(reason),
            None => Ok(saved),
        }
    }

    async fn start(&self, vm: &Machine) -> Result<()> {
        if self.allow_reboot {
            vm.start_allowing_reboot().await
        } else {
            vm.start().await
        }
    }

    /// Boots and prepares a machine without the saved state.
    async fn boot(&self, vm: Machine) -> Result<Machine> {
        self.start(&vm).await?;
        if vm.has_shell() {
            vm.connect().await?;
        }
        for step in self.all_steps() {
            step.apply(&vm).await?;
        }
        if let Some(name) = self.host_name.as_ref().filter(|_| vm.has_shell()) {
            vm.set_host_name(name).await?;
        }
        Ok(vm)
    }

    /// The parents' steps first.
    fn all_steps(&self) -> Vec<&Step> {
        let mut steps = match &self.recipe.parent {
            Some(parent) => parent.all_steps(),
            None => Vec::new(),
        };
        steps.extend(&self.recipe.steps);
        steps
    }
}

/// The configuration of a template; made by [`Template::builder`] and
/// [`Template::extend`]. The steps that prepare its guest are run in the order given.
#[derive(Clone, Debug)]
#[must_use]
pub struct TemplateBuilder {
    recipe: Recipe,
}

impl TemplateBuilder {
    /// The cache directory. Default: `target/vm/templates` in the current directory. It must be
    /// on a disk with space for the guest's RAM, belong to this user, and not be writable by
    /// others. It may be moved together with the images that its templates are made from, if
    /// these are at the same places as seen from it.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.recipe.cache_dir = dir.into();
        self
    }

    /// Connects the machine to a network of this number, on which it is alone while it is
    /// prepared. Each clone must be connected to a network, by
    /// [`clone_with`](Template::clone_with) and [`Builder::vlan`]. Until it reboots, it has
    /// another hardware address there, but the template's network addresses.
    pub fn vlan(mut self, number: u32) -> Self {
        self.recipe.vlans.push(number);
        self
    }

    /// Waits until a unit is active, as
    /// [`wait_for_unit`](crate::Guest::wait_for_unit) does.
    pub fn wait_for_unit(self, unit: impl Into<Unit>) -> Self {
        self.step(Step::WaitForUnit(unit.into()))
    }

    /// Waits until cloud-init is done, as
    /// [`wait_for_cloud_init`](crate::Guest::wait_for_cloud_init) does.
    pub fn wait_for_cloud_init(self) -> Self {
        self.step(Step::WaitForCloudInit)
    }

    /// Runs a command, which must succeed.
    pub fn succeed(self, command: impl Into<Command>) -> Self {
        self.step(Step::Succeed(command.into()))
    }

    /// Copies a file or a directory of the host to `target` in the guest.
    pub fn copy_from_host(self, source: impl AsRef<Path>, target: impl Into<String>) -> Self {
        self.step(Step::CopyFromHost(
            source.as_ref().to_owned(),
            target.into(),
        ))
    }

    /// Runs `prepare` with the machine, for everything that no other step does: a dialogue on
    /// the console, say. The code is not compared: a template of the same `version` is used
    /// again, so another version must be given whenever the code has changed.
    ///
    /// ```no_run
    /// # use machine::{DiskImage, Template};
    /// # async fn example() -> machine::Result<()> {
    /// let template = Template::builder(DiskImage::new("grub-rescue.iso"))
    ///     .without_shell()
    ///     .prepare("at the menu", async |vm| {
    ///         vm.wait_for_console_screen("GNU GRUB").await.map(drop)
    ///     })
    ///     .build()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare<F>(
        self,
        version: impl Into<String>,
        prepare: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let run = move |vm| -> BoxFuture<'static, Result<()>> { Box::pin(prepare(vm)) };
        self.step(Step::Prepare(version.into(), Preparation(Arc::new(run))))
    }

    /// For a guest without a root shell, as
    /// [`Builder::without_shell`](crate::Builder::without_shell). It is saved where the steps
    /// have [brought](Self::prepare) it; without any, it would be saved before it boots.
    ///
    /// Clones continue there. Nothing in their guests is changed: they have the same clock,
    /// random numbers, identity and network addresses.
    pub fn without_shell(mut self) -> Self {
        self.recipe.has_shell = false;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.recipe.steps.push(step);
        self
    }

    /// Opens the template in the cache, or makes it: boots the machine, prepares it, waits
    /// until it is idle (half a minute at most), saves it. If several processes need the
    /// same one, one of them makes it, and the others wait, however long that takes.
    ///
    /// # Errors
    /// Those of booting and preparing; [`Template`](crate::ErrorKind::Template) if it
    /// can't be saved to the cache, which then is unchanged.
    ///
    /// # Cancellation
    /// The machine is dropped, and the cache is unchanged.
    pub async fn build(self) -> Result<Template> {
        make::build(self.recipe).await
    }
}
