//! Rows on their way into a table, in the database's binary form.

use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::Statement;

use super::{Db, parameters};
use crate::cells::Cells;
use crate::error::Outcome;
use crate::value::Value;

impl Db {
    fn copy_statement(&self, sql: &str) -> Outcome<Statement> {
        if let Some((known, statement)) = &*self.copying.borrow()
            && known == sql
        {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client().prepare(sql))?;
        *self.copying.borrow_mut() = Some((sql.to_owned(), statement.clone()));
        Ok(statement)
    }

    /// Sends rows in the database's binary form.
    pub(crate) fn copy(&self, sql: &str, rows: Bytes) -> Outcome<u64> {
        let statement = self.statement(sql)?;
        self.wait(async {
            let mut sink = pin!(self.client().copy_in(&statement).await?);
            sink.send(rows).await?;
            sink.finish().await
        })
    }

    /// Asks for the rows of one statement, sends rows in the database's binary form, and runs another statement behind them,
    /// if there is one. The first goes out with the beginning of the copy, and the last with the rows: two ways there and
    /// back in all.
    pub(crate) fn copy_between<T>(
        &self,
        before: (&'static str, &str, &[Value<'_>]),
        copy: (&str, Bytes),
        behind: Option<(&str, &[Value<'_>])>,
        mut read: impl FnMut(&Cells) -> Outcome<T>,
    ) -> Outcome<(Vec<T>, u64)> {
        let (table, asked, values) = before;
        let (asked, copying) = (self.statement(asked)?, self.copy_statement(copy.0)?);
        let then = match behind {
            Some((sql, values)) => Some((self.statement(sql)?, parameters(values))),
            None => None,
        };
        let values = parameters(values);
        let client = self.client();
        // Each asks when it is looked at first, and the client keeps the order in which they ask.
        let (rows, copied) = self.wait(async {
            let copied = async {
                let mut sink = pin!(client.copy_in(&copying).await?);
                sink.send(copy.1).await?;
                sink.finish().await
            };
            let run = async {
                match &then {
                    Some((then, last)) => client.execute(then, last).await.map(drop),
                    None => Ok(()),
                }
            };
            let (rows, copied, run) = tokio::join!(biased; client.query(&asked, &values), copied, run);
            // What failed first is why the rest did.
            let (rows, copied) = (rows?, copied?);
            run?;
            Ok((rows, copied))
        })?;
        let rows = rows.into_iter().map(|row| read(&Cells::new(row, table)));
        Ok((rows.collect::<Outcome<Vec<T>>>()?, copied))
    }
}
