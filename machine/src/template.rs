//! Machines that are booted once, and cloned.

mod ahead;
mod cache;
mod first_start;
mod key;
mod make;
mod step;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::ahead::Ahead;
use self::cache::Place;
use self::step::Step;
use crate::error::{ErrorKind, Result};
use crate::instance::saved_state::{Origin, Saved};
use crate::start::StartCommand;
use crate::{Builder, Machine, Unit};

/// A machine that was booted, prepared and saved, of which clones take a fiftieth of
/// its boot: a handle, cheap to clone.
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
/// Clones share the template's RAM and disks and copy what they change, on the host's
/// disk and in its memory. Each has its own state directory, clock, random numbers,
/// machine id, and hardware addresses on networks with others. Its console log begins
/// anew, and a start after a shutdown boots.
///
/// A machine that can't be saved is booted and prepared instead, each time, and the
/// reason is told at WARN.
#[derive(Clone, Debug)]
pub struct Template {
    recipe: Arc<Recipe>,
    place: Place,
    saved: Saved,
    host_name: Option<String>,
    allow_reboot: bool,
    ahead: Option<Ahead>,
}

/// All that makes a template.
#[derive(Clone, Debug)]
struct Recipe {
    start: StartCommand,
    /// What the machine is a clone of, if it is not booted.
    parent: Option<Template>,
    steps: Vec<Step>,
    /// The numbers of the networks it is on.
    vlans: Vec<u32>,
    cache_dir: PathBuf,
}

impl Template {
    /// A template that is booted by a start command, to be described further.
    pub fn builder(start: impl Into<StartCommand>) -> TemplateBuilder {
        TemplateBuilder {
            recipe: Recipe {
                start: start.into(),
                parent: None,
                steps: Vec::new(),
                vlans: Vec::new(),
                cache_dir: PathBuf::from("target/vm/templates"),
            },
        }
    }

    /// A template that begins as a clone of this one, and shares its disks with it.
    pub fn extend(&self) -> TemplateBuilder {
        TemplateBuilder {
            recipe: Recipe {
                start: self.recipe.start.clone(),
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

    /// Removes the templates that are kept in `cache_dir`, but for those in use.
    ///
    /// # Errors
    /// The operating system's.
    pub fn clear(cache_dir: impl AsRef<Path>) -> io::Result<()> {
        cache::clear(cache_dir.as_ref())
    }

    /// A handle whose clones call themselves `name` on the network.
    #[must_use]
    pub fn host_name(&self, name: impl Into<String>) -> Self {
        Self {
            host_name: Some(name.into()),
            ..self.plain()
        }
    }

    /// A handle whose clones may reboot, as
    /// [`start_allowing_reboot`](Machine::start_allowing_reboot) has it.
    #[must_use]
    pub fn allowing_reboot(&self) -> Self {
        Self {
            allow_reboot: true,
            ..self.plain()
        }
    }

    /// What the serial console showed from the boot to the saving; no such file if
    /// the machine [can't be saved](Self::cannot).
    pub fn console_log(&self) -> PathBuf {
        self.saved.console_log()
    }

    /// Why clones are booted, if that was known when this handle was made.
    pub fn cannot(&self) -> Option<&str> {
        self.saved.manifest.cannot.as_deref()
    }

    /// A machine of its own that goes on where this one was saved; connected.
    ///
    /// # Errors
    /// As [`Machine::connect`], and those of the preparation where it is done anew.
    pub async fn clone_machine(&self) -> Result<Machine> {
        match &self.ahead {
            Some(ahead) => self.take_ahead(ahead).await,
            None => self.clone_with(|builder| builder).await,
        }
    }

    /// The same, with its name and directories chosen; never [made
    /// ahead](Self::ahead).
    ///
    /// # Errors
    /// As [`clone_machine`](Self::clone_machine).
    pub async fn clone_with(
        &self,
        describe: impl Fn(Builder) -> Builder + Send,
    ) -> Result<Machine> {
        let builder = describe(Machine::builder(self.recipe.start.clone()));
        if let Some(number) = self.recipe.vlans.iter().find(|it| !builder.is_on(**it)) {
            let reason = format!(
                "the template is on network {number}; say on which its clone is: \
                 `clone_with(|builder| builder.vlan(&vlan))`"
            );
            return Err(builder.build()?.template_error("cloning", reason));
        }
        let saved = match self.current() {
            Ok(saved) => saved,
            Err(reason) => {
                let vm = builder.build()?;
                tracing::warn!(machine = vm.name(), "it is booted, not cloned: {reason}");
                return self.boot(vm).await;
            }
        };
        // With other devices, say, or a name, which are no fault of the template's.
        let is_another = builder.env_len() > self.recipe.vlans.len() || self.host_name.is_some();
        let origin = Origin::Saved(saved.clone());
        let vm = builder.clone().origin(origin).build()?;
        let Err(error) = self.go_on(&vm, &saved).await else {
            return Ok(vm);
        };
        // A boot would not help.
        if matches!(error.kind(), ErrorKind::BadArgument { .. }) {
            return Err(error);
        }
        tracing::warn!(machine = vm.name(), "it is booted, not cloned: {error}");
        if !is_another {
            saved.failed(&error);
        }
        // With its disks.
        drop(vm);
        self.boot(builder.build()?).await
    }

    /// Has a machine go on where this one was saved, as another.
    async fn go_on(&self, vm: &Machine, saved: &Saved) -> Result<()> {
        self.start(vm).await?;
        match saved.contents() {
            Some(contents) => vm.freshen(contents, self.host_name.as_deref()).await,
            None => Ok(()),
        }
    }

    /// What was saved: by somebody else, if this was damaged meanwhile.
    ///
    /// # Errors
    /// Why there is nothing.
    pub(crate) fn current(&self) -> std::result::Result<Saved, String> {
        let saved = match self.saved.check() {
            Ok(()) => self.saved.clone(),
            Err(reason) => {
                self.saved.spoil();
                self.place.open().ok().flatten().ok_or(reason)?
            }
        };
        match saved.cannot() {
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

    /// Boots and prepares a machine without what was saved.
    async fn boot(&self, vm: Machine) -> Result<Machine> {
        self.start(&vm).await?;
        vm.connect().await?;
        for step in self.all_steps() {
            step.apply(&vm).await?;
        }
        if let Some(name) = &self.host_name {
            vm.set_host_name(name).await?;
        }
        Ok(vm)
    }

    /// Its parents' first.
    fn all_steps(&self) -> Vec<&Step> {
        let mut steps = match &self.recipe.parent {
            Some(parent) => parent.all_steps(),
            None => Vec::new(),
        };
        steps.extend(&self.recipe.steps);
        steps
    }
}

/// A template that is being described; made by [`Template::builder`] and
/// [`Template::extend`]. What its guest is prepared by is done in the order given.
#[derive(Clone, Debug)]
#[must_use]
pub struct TemplateBuilder {
    recipe: Recipe,
}

impl TemplateBuilder {
    /// Where templates are kept: `target/vm/templates` by default. It must be on a
    /// disk with room for the guest's RAM, and this user's; not everybody may write to it.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.recipe.cache_dir = dir.into();
        self
    }

    /// Puts the machine on a network of this number, where it is alone while it is
    /// prepared. Each clone is to be put on one of its own choice, by
    /// [`clone_with`](Template::clone_with) and [`Builder::vlan`]. Until it reboots, it has
    /// another hardware address there, but the network addresses that the template had.
    pub fn vlan(mut self, number: u32) -> Self {
        self.recipe.vlans.push(number);
        self
    }

    /// Waits until a unit is active, as [`Machine::wait_for_unit`] does.
    pub fn wait_for_unit(self, unit: impl Into<Unit>) -> Self {
        self.step(Step::WaitForUnit(unit.into()))
    }

    /// Runs a command, which must succeed.
    pub fn succeed(self, command: impl Into<String>) -> Self {
        self.step(Step::Succeed(command.into()))
    }

    /// Copies a file or a directory of the host to `target` in the guest.
    pub fn copy_from_host(self, source: impl AsRef<Path>, target: impl Into<String>) -> Self {
        self.step(Step::CopyFromHost(
            source.as_ref().to_owned(),
            target.into(),
        ))
    }

    fn step(mut self, step: Step) -> Self {
        self.recipe.steps.push(step);
        self
    }

    /// Takes the template from where it is kept, or makes it: boots the machine,
    /// prepares it, waits until it has nothing to do (half a minute at most), saves it.
    /// Of several processes that want the same one, one makes it, and the others wait,
    /// however long that takes.
    ///
    /// # Errors
    /// Those of booting and preparing; [`Template`](crate::ErrorKind::Template) if it
    /// can't be kept. Nothing is kept then.
    pub async fn build(self) -> Result<Template> {
        make::build(self.recipe).await
    }
}
