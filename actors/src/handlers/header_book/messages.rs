//! What the header book is told and asked.

use std::net::IpAddr;

use actix::Message;
use dwarves_domain::work::{Job, JobId};

use crate::ask::Request;

/// The merkle root of a header, in hash byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MerkleRoot(pub [u8; 32]);

impl MerkleRoot {
    /// The root that a job's header has.
    pub fn of(job: &Job) -> Self {
        Self(job.header().merkle_root())
    }
}

/// News: a miner was given this job as a bare header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct HeaderGiven {
    /// What its header is known by: no two jobs share one, for no two coinbases are the same.
    pub root: MerkleRoot,
    /// The job that the header was made of.
    pub job: JobId,
    /// The client that it was sent to.
    pub from: IpAddr,
}

/// Asks which job a header belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindJob {
    /// The header's merkle root.
    pub root: MerkleRoot,
}

impl Request for FindJob {
    /// `None` if the book does not have it. Whether it was given to who submits it is not the book's to say: the job's
    /// name opens for its owner alone.
    type Reply = Option<JobId>;
}
