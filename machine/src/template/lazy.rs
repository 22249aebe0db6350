//! Templates in statics.

use std::fmt;

use tokio::sync::OnceCell;

use super::{Template, TemplateBuilder};
use crate::error::Result;
use crate::machine::{Builder, Machine};

/// A template in a `static`, shared by tests: the first one that needs it builds it.
///
/// ```no_run
/// use machine::{LazyTemplate, StartScript, Template};
///
/// static SERVER: LazyTemplate = LazyTemplate::new(|| {
///     Template::builder(StartScript::new("target/vm/systemd/run-systemd-vm"))
///         .wait_for_unit("multi-user.target")
/// });
///
/// #[tokio::test]
/// async fn the_server_has_a_name() -> machine::Result<()> {
///     let vm = SERVER.clone_machine().await?;
///     assert_eq!(vm.succeed("hostname").await?, "systemd\n");
///     Ok(())
/// }
/// ```
///
/// `cargo test` runs all tests in one process, each on a tokio runtime of its own; nextest
/// runs each in a process of its own. Both boot the machine once: the template is also kept
/// in the [cache](TemplateBuilder::cache_dir).
///
/// # Cancellation
///
/// As for [`TemplateBuilder::build`] and [`Template`]: the next call builds it.
pub struct LazyTemplate {
    describe: fn() -> TemplateBuilder,
    template: OnceCell<Template>,
}

impl LazyTemplate {
    /// A template that `describe` configures; not built yet.
    pub const fn new(describe: fn() -> TemplateBuilder) -> Self {
        Self {
            describe,
            template: OnceCell::const_new(),
        }
    }

    /// The template. Builds it if that was not done before; other callers wait meanwhile.
    ///
    /// # Errors
    /// As [`TemplateBuilder::build`]. The next call tries again.
    pub async fn get(&self) -> Result<&Template> {
        let build = || (self.describe)().build();
        self.template.get_or_try_init(build).await
    }

    /// Makes a clone: see [`Template::clone_machine`].
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`Template::clone_machine`].
    pub async fn clone_machine(&self) -> Result<Machine> {
        self.get().await?.clone_machine().await
    }

    /// Makes a clone with a name and directories of choice: see [`Template::clone_with`].
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`Template::clone_with`].
    pub async fn clone_with(
        &self,
        describe: impl Fn(Builder) -> Builder + Send,
    ) -> Result<Machine> {
        self.get().await?.clone_with(describe).await
    }
}

impl fmt::Debug for LazyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyTemplate")
            .field("template", &self.template.get())
            .finish_non_exhaustive()
    }
}
