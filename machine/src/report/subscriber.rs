//! The layer that all reports share. It reduces spans and events to steps and their events.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::{FieldVisitor, Fields};
use super::files::Files;
use crate::sync::Mutex;
use crate::trace::{PREFIX, STEP};

/// A report, which receives steps and the events within them.
pub(super) trait Report: Send + 'static {
    /// Where outputs and pictures are stored, for reports that use them.
    fn files(&mut self) -> Option<&mut Files> {
        None
    }

    /// A step has started.
    fn start_step(&mut self, step: u64, parent: Option<u64>, fields: Fields);

    /// A step has ended. Its `outcome` is empty if none was recorded.
    fn end_step(&mut self, step: u64, fields: Fields);

    /// An event was emitted within a step, or outside of any.
    fn event(&mut self, step: Option<u64>, metadata: &Metadata<'_>, fields: Fields);
}

/// A layer for a report.
#[derive(Debug)]
pub(super) struct ReportLayer<R> {
    state: Arc<Mutex<State<R>>>,
}

#[derive(Debug)]
struct State<R> {
    report: R,
    /// The steps that have not ended.
    running: HashSet<u64>,
}

impl<R> Clone for ReportLayer<R> {
    fn clone(&self) -> Self {
        let state = Arc::clone(&self.state);
        Self { state }
    }
}

impl<R: Report> ReportLayer<R> {
    pub(super) fn new(report: R) -> Self {
        let running = HashSet::new();
        let state = Arc::new(Mutex::new(State { report, running }));
        Self { state }
    }

    /// Accesses the report. Steps and events block meanwhile.
    pub(super) fn with<T>(&self, access: impl FnOnce(&mut R) -> T) -> T {
        access(&mut self.state.lock().report)
    }

    /// A layer for a subscriber. It receives what machines emit up to `max_level`, and what
    /// others emit at INFO and above.
    pub(super) fn layer<S>(&self, max_level: Level) -> impl Layer<S> + Send + Sync + use<R, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.clone().with_filter(filter(max_level))
    }
}

fn filter(max_level: Level) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(move |metadata| {
        let limit = if metadata.target().starts_with(PREFIX) {
            max_level
        } else {
            Level::INFO
        };
        *metadata.level() <= limit
    })
    .with_max_level_hint(LevelFilter::from_level(max_level))
}

impl<R: Report> State<R> {
    fn read(&mut self, record: impl FnOnce(&mut FieldVisitor<'_>)) -> Fields {
        let mut visitor = FieldVisitor {
            fields: Fields::default(),
            files: self.report.files(),
        };
        record(&mut visitor);
        visitor.fields
    }

    /// The innermost running step among a span and its ancestors.
    fn step<S: for<'a> LookupSpan<'a>>(&self, span: Option<SpanRef<'_, S>>) -> Option<u64> {
        let mut ids = span?.scope().map(|span| span.id().into_u64());
        ids.find(|id| self.running.contains(id))
    }
}

impl<S, R> Layer<S> for ReportLayer<R>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    R: Report,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != STEP {
            return;
        }
        let mut state = self.state.lock();
        let fields = state.read(|visitor| attributes.record(visitor));
        let parent = state.step(context.span(id));
        state.running.insert(id.into_u64());
        state.report.start_step(id.into_u64(), parent, fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut state = self.state.lock();
        if !state.running.contains(&id.into_u64()) {
            return;
        }
        let fields = state.read(|visitor| values.record(visitor));
        if !fields.outcome.is_empty() {
            state.running.remove(&id.into_u64());
            state.report.end_step(id.into_u64(), fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut state = self.state.lock();
        let fields = state.read(|visitor| event.record(visitor));
        let step = state.step(context.event_span(event));
        state.report.event(step, event.metadata(), fields);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut state = self.state.lock();
        if state.running.remove(&id.into_u64()) {
            state.report.end_step(id.into_u64(), Fields::default());
        }
    }
}
