//! An executor of a Ballista cluster, as its published crate makes one.

use ballista_core::{
    error::Result,
    object_store::{runtime_env_with_s3_support, session_config_with_s3_support},
};
use ballista_executor::{
    config::Config,
    executor_process::{ExecutorProcessConfig, start_executor_process},
};
use clap::Parser;
use std::sync::Arc;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut config = ExecutorProcessConfig::try_from(Config::parse())?;
        config.override_config_producer = Some(Arc::new(session_config_with_s3_support));
        config.override_runtime_producer = Some(Arc::new(runtime_env_with_s3_support));
        start_executor_process(Arc::new(config)).await
    })
}
