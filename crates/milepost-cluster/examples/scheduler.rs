//! The scheduler of a Ballista cluster, as its published crate makes one.

use ballista_core::{
    error::{BallistaError, Result},
    object_store::{session_config_with_s3_support, session_state_with_s3_support},
};
use ballista_scheduler::{
    cluster::BallistaCluster,
    config::{Config, SchedulerConfig},
    scheduler_process::start_server,
};
use clap::Parser;
use std::sync::Arc;

/// The planner works by recursion.
const STACK_BYTES: usize = 32 << 20;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()?.block_on(async {
        let typed = Config::parse();
        let address = format!("{}:{}", typed.bind_host, typed.bind_port);
        let address = address.parse().map_err(|_| BallistaError::Configuration(format!("{address} is no address")))?;
        let config = SchedulerConfig::try_from(typed)?
            .with_override_config_producer(Arc::new(session_config_with_s3_support))
            .with_override_session_builder(Arc::new(session_state_with_s3_support));
        start_server(BallistaCluster::new_from_config(&config).await?, address, Arc::new(config)).await
    })
}
