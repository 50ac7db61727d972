//! One connection, used by one thread: it asks and waits, and hears what the server says beside its answers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

use crate::cells::Cells;
use crate::error::{Fail, OpenError, Outcome, corrupt, unavailable, words};
use crate::options::PostgresOptions;
use crate::value::Value;

mod copying;
mod sent;

/// Statements that stay prepared; there are fewer, and those of lists of unknown length are not kept.
const STATEMENTS_MAX: usize = 512;

/// What moves bytes between the client and the socket, and hears what nobody asked for.
type Connection =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send>;

/// What was sent and not waited for.
type Ahead = Pin<Box<dyn Future<Output = Outcome<()>> + Send>>;

/// The connection's side of it.
struct Line {
    /// Gone once the connection is.
    connection: Option<Connection>,
    /// Warnings that nobody has taken yet.
    warnings: Vec<DbError>,
    /// Why the connection is gone.
    end: Option<String>,
}

impl Line {
    /// Moves on. Whether the connection is gone.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(connection) = &mut self.connection {
            match connection(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    if notice.parsed_severity() == Some(Severity::Warning) {
                        log::warn!("the database warns: {}", notice.message());
                        self.warnings.push(notice);
                    }
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    self.end = Some(words(&error));
                    self.connection = None;
                }
                Poll::Ready(None) => self.connection = None,
            }
        }
        true
    }
}

/// A connection to the ledger's database.
pub(crate) struct Db {
    // Dropped first, so that the server is told.
    ahead: RefCell<Option<Ahead>>,
    /// What ends a transaction and is on its way.
    sent: RefCell<Option<Ahead>>,
    client: Option<Arc<Client>>,
    line: RefCell<Line>,
    statements: RefCell<HashMap<String, Statement>>,
    /// The last statement that copied: each is of a table that it is not long written to.
    copying: RefCell<Option<(String, Statement)>>,
    /// Turns true when nobody waits for answers any more.
    closing: Option<watch::Receiver<bool>>,
    /// How long each answer may take; none: as long as the connection lasts.
    patience: Cell<Option<Duration>>,
    runtime: Runtime,
}

impl Db {
    /// Connects.
    pub(crate) fn connect(options: &PostgresOptions) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| OpenError::Database(format!("no runtime for it: {error}")))?;
        let connected = runtime.block_on(options.config.connect(options.tls.clone()));
        let (client, mut connection) = connected.map_err(|error| OpenError::of(&error))?;
        let line = Line {
            connection: Some(Box::new(move |cx| connection.poll_message(cx))),
            warnings: Vec::new(),
            end: None,
        };
        Ok(Self {
            ahead: RefCell::default(),
            sent: RefCell::default(),
            client: Some(Arc::new(client)),
            line: RefCell::new(line),
            statements: RefCell::default(),
            copying: RefCell::default(),
            closing: None,
            patience: Cell::new(None),
            runtime,
        })
    }

    /// Gives up waiting once `closing` is true.
    pub(crate) fn until(mut self, closing: watch::Receiver<bool>) -> Self {
        self.closing = Some(closing);
        self
    }

    /// Asks with little patience: an answer that takes longer than that is none. It may still come, so a connection of
    /// which it was not waited for is not to be used any more.
    pub(crate) fn within<T>(&self, patience: Duration, ask: impl FnOnce(&Self) -> T) -> T {
        self.patience.set(Some(patience));
        let asked = ask(self);
        self.patience.set(None);
        asked
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.line.borrow().connection.is_none()
            || self.client.as_ref().is_none_or(|client| client.is_closed())
    }

    /// Why the connection is gone, if it is known.
    pub(crate) fn end(&self) -> Option<String> {
        self.line.borrow().end.clone()
    }

    /// Warnings since they were taken last.
    pub(crate) fn take_warnings(&self) -> Vec<DbError> {
        std::mem::take(&mut self.line.borrow_mut().warnings)
    }

    fn client(&self) -> &Arc<Client> {
        self.client.as_ref().expect("only dropping takes it")
    }

    /// Waits for an answer while the connection moves; and before it for that to what was sent ahead, which goes out with
    /// this. If that failed, it is what failed.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Outcome<T> {
        let ahead = self.ahead.borrow_mut().take();
        let answer = async {
            let answer = async { answer.await.map_err(Fail::from) };
            match ahead {
                None => answer.await,
                Some(ahead) => {
                    let (ahead, answer) = tokio::join!(biased; ahead, answer);
                    ahead.and(answer)
                }
            }
        };
        self.drive(answer)
    }

    /// Moves the connection until there is an answer, or can be none.
    fn drive<T>(&self, answer: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let mut answer = pin!(answer);
        let mut closing = self.closing.clone();
        let given_up = async {
            match &mut closing {
                Some(closing) => drop(closing.wait_for(|is_closing| *is_closing).await),
                None => std::future::pending().await,
            }
        };
        let mut given_up = pin!(given_up);
        let patience = self.patience.get();
        let too_long = async {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        let mut too_long = pin!(too_long);
        self.runtime.block_on(poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                let was_there = self.line.borrow().connection.is_some();
                let is_gone = self.line.borrow_mut().poll(cx);
                // An end is seen by the one who waits.
                if is_gone && was_there {
                    continue;
                }
                if is_gone {
                    return Poll::Ready(Err(unavailable("the connection to the database is gone").into()));
                }
                if given_up.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(unavailable("the store is closing").into()));
                }
                if too_long.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(unavailable("there is no answer for too long").into()));
                }
                return Poll::Pending;
            }
        }))
    }

    /// Runs statements without parameters.
    pub(crate) fn run(&self, sql: &str) -> Outcome<()> {
        self.wait(self.client().batch_execute(sql))
    }

    fn statement(&self, sql: &str) -> Outcome<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client().prepare(sql))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() < STATEMENTS_MAX {
            statements.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Runs a statement. How many rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Outcome<u64> {
        let statement = self.statement(sql)?;
        self.wait(self.client().execute(&statement, &parameters(values)))
    }

    /// Runs statements without parameters ahead of what is asked next: whoever asks it hears if they failed.
    pub(crate) fn begin_ahead(&self, sql: &'static str) {
        let client = Arc::clone(self.client());
        let ahead = async move { client.batch_execute(sql).await.map_err(Fail::from) };
        *self.ahead.borrow_mut() = Some(Box::pin(ahead));
    }

    /// Runs statements without parameters and then one with numbers, which must change a row, ahead of what is asked next:
    /// all of it goes out together, and whoever asks next hears if it failed, with `otherwise` if no row was changed.
    pub(crate) fn run_ahead(
        &self,
        first: &'static str,
        sql: &str,
        numbers: [u64; 2],
        otherwise: fn() -> Fail,
    ) -> Outcome<()> {
        let statement = self.statement(sql)?;
        let client = Arc::clone(self.client());
        let ahead = async move {
            let numbers = numbers.map(Value::from);
            let parameters = parameters(&numbers);
            let first = client.batch_execute(first);
            let (first, changed) = tokio::join!(biased; first, client.execute(&statement, &parameters));
            match first.and(changed)? {
                0 => Err(otherwise()),
                _ => Ok(()),
            }
        };
        *self.ahead.borrow_mut() = Some(Box::pin(ahead));
        Ok(())
    }

    /// Waits for what was sent ahead, if nothing was asked since.
    pub(crate) fn settle(&self) -> Outcome<()> {
        let is_any = self.ahead.borrow().is_some();
        match is_any {
            true => self.wait(std::future::ready(Ok(()))),
            false => Ok(()),
        }
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Outcome<Vec<Row>> {
        let statement = self.statement(sql)?;
        self.wait(self.client().query(&statement, &parameters(values)))
    }

    /// All rows that a statement gives, which are of `table`.
    pub(crate) fn all<T>(
        &self,
        table: &'static str,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Cells) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let rows = self.rows(sql, values)?;
        rows.into_iter()
            .map(|row| read(&Cells::new(row, table)))
            .collect()
    }

    /// The first row that a statement gives.
    pub(crate) fn one<T>(
        &self,
        table: &'static str,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Cells) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        let rows = self.rows(sql, values)?;
        let first = rows.into_iter().next();
        first.map(|row| read(&Cells::new(row, table))).transpose()
    }

    /// The one row that there always is.
    pub(crate) fn always<T>(
        &self,
        table: &'static str,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Cells) -> Outcome<T>,
    ) -> Outcome<T> {
        let row = self.one(table, sql, values, read)?;
        row.ok_or_else(|| corrupt(format!("{table}: its row is missing")))
    }

    /// Whether a statement gives a row.
    pub(crate) fn exists(&self, sql: &str, values: &[Value<'_>]) -> Outcome<bool> {
        Ok(!self.rows(sql, values)?.is_empty())
    }
}

impl Drop for Db {
    /// Says good-bye, so that the server frees what this connection held at once.
    fn drop(&mut self) {
        drop(self.client.take());
        let line = self.line.get_mut();
        let farewell = poll_fn(|cx| match line.poll(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        let farewell = async { tokio::time::timeout(Duration::from_millis(500), farewell).await };
        // Who does not hear it sees the socket close.
        let _late = self.runtime.block_on(farewell);
    }
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
