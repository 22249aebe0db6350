//! What all reports have in common: steps that begin and end, and what is said in them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::{Fields, Reading};
use super::files::Files;
use crate::trace::STEP;

/// Somebody who is told of steps, and of what is said in them.
pub(super) trait Listener: Send + 'static {
    /// Where outputs and pictures are kept, by those who want them.
    fn files(&mut self) -> Option<&mut Files> {
        None
    }

    /// A step has begun, in another.
    fn begins(&mut self, step: u64, parent: Option<u64>, fields: Fields);

    /// A step has ended: `outcome` and `error` tell how.
    fn ends(&mut self, step: u64, fields: Fields);

    /// Something was said in a step.
    fn says(&mut self, step: Option<u64>, about: &Metadata<'_>, fields: Fields);
}

/// A layer that tells a listener.
#[derive(Debug)]
pub(super) struct Listening<L> {
    state: Arc<Mutex<State<L>>>,
}

#[derive(Debug)]
struct State<L> {
    listener: L,
    /// The steps that have begun, and not ended.
    open: HashSet<u64>,
}

impl<L> Clone for Listening<L> {
    fn clone(&self) -> Self {
        let state = Arc::clone(&self.state);
        Self { state }
    }
}

impl<L: Listener> Listening<L> {
    pub(super) fn new(listener: L) -> Self {
        let open = HashSet::new();
        let state = Arc::new(Mutex::new(State { listener, open }));
        Self { state }
    }

    /// Does something with the listener, which hears nothing meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut L) -> T) -> T {
        work(&mut self.state().listener)
    }

    /// A layer for a subscriber, of what machines tell in as much detail as `most`, and
    /// of what others tell at INFO and above.
    pub(super) fn layer<S>(&self, most: Level) -> impl Layer<S> + Send + Sync + use<L, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.clone().with_filter(wanted(most))
    }

    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wanted(most: Level) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(move |about| {
        let limit = if about.target().starts_with("machine::") {
            most
        } else {
            Level::INFO
        };
        *about.level() <= limit
    })
    .with_max_level_hint(LevelFilter::from_level(most))
}

impl<L: Listener> State<L> {
    /// Reads fields, as far as the listener keeps them.
    fn read(&mut self, record: impl FnOnce(&mut Reading<'_>)) -> Fields {
        let mut reading = Reading {
            fields: Fields::default(),
            files: self.listener.files(),
        };
        record(&mut reading);
        reading.fields
    }

    /// The innermost of the open steps that a span is, or is in.
    fn step<S: for<'a> LookupSpan<'a>>(&self, span: Option<SpanRef<'_, S>>) -> Option<u64> {
        let mut ids = span?.scope().map(|span| span.id().into_u64());
        ids.find(|id| self.open.contains(id))
    }
}

impl<S, L> Layer<S> for Listening<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Listener,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != STEP {
            return;
        }
        let mut state = self.state();
        let fields = state.read(|reading| attributes.record(reading));
        let parent = state.step(context.span(id));
        state.open.insert(id.into_u64());
        state.listener.begins(id.into_u64(), parent, fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut state = self.state();
        if !state.open.contains(&id.into_u64()) {
            return;
        }
        let fields = state.read(|reading| values.record(reading));
        if !fields.outcome.is_empty() {
            state.open.remove(&id.into_u64());
            state.listener.ends(id.into_u64(), fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut state = self.state();
        let fields = state.read(|reading| event.record(reading));
        let step = state.step(context.event_span(event));
        state.listener.says(step, event.metadata(), fields);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut state = self.state();
        if state.open.remove(&id.into_u64()) {
            // Nobody said how it ended.
            state.listener.ends(id.into_u64(), Fields::default());
        }
    }
}
