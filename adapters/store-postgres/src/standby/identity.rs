//! What makes a server the standby of this very primary.

use dwarves_ports::store::codec::Cells as _;

use super::WhyNot;
use crate::client::Db;
use crate::error::Outcome;
use crate::schema;

/// What a standby has in common with its primary, and with no other server: it is a copy down to numbers of tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Of the whole server, from when it was made.
    system: i64,
    database: i64,
    /// The table of what there is once, in the schema that is used; 0: there are no tables.
    table: i64,
    schema: u32,
}

impl Identity {
    pub(super) fn read(db: &Db) -> Outcome<Self> {
        let sql = "SELECT system_identifier AS system,
                (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database,
                COALESCE(to_regclass('pool')::oid::bigint, 0) AS pool
            FROM pg_control_system()";
        let (system, database, table) = db.always("pg_control_system", sql, &[], |cells| {
            Ok((cells.int("system")?, cells.int("database")?, cells.int("pool")?))
        })?;
        Ok(Self {
            system,
            database,
            table,
            schema: schema::version(db)?,
        })
    }

    /// Whether `found` is what a standby of this primary is.
    pub(super) fn must_be(&self, found: &Self) -> Result<(), WhyNot> {
        let (system, database) = (self.system, self.database);
        if found.system != system {
            return Err(WhyNot::OtherSystem {
                found: found.system.cast_unsigned(),
                primary: system.cast_unsigned(),
            });
        }
        if (found.database, found.table) != (database, self.table) && found.schema == self.schema {
            return Err(WhyNot::OtherDatabase);
        }
        match found.schema == self.schema {
            true => Ok(()),
            false => Err(WhyNot::OtherSchema {
                found: found.schema,
                primary: self.schema,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pools_standby_is_known_by_name() {
        let primary = Identity {
            system: 7,
            database: 16_384,
            table: 16_400,
            schema: 1,
        };
        assert_eq!(primary.must_be(&primary), Ok(()));
        let refused = |found: Identity| primary.must_be(&found).unwrap_err();
        let other = Identity { system: 8, ..primary };
        assert_eq!(refused(other), WhyNot::OtherSystem { found: 8, primary: 7 });
        let other = Identity {
            database: 16_385,
            ..primary
        };
        assert_eq!(refused(other), WhyNot::OtherDatabase);
        // The same name in another schema of the database.
        let other = Identity {
            table: 16_900,
            ..primary
        };
        assert_eq!(refused(other), WhyNot::OtherDatabase);
        let other = Identity {
            table: 0,
            schema: 0,
            ..primary
        };
        assert_eq!(refused(other), WhyNot::OtherSchema { found: 0, primary: 1 });
    }
}
