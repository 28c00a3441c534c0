//! A Ballista cluster in place of the embedded engine, for tables that one machine reads too slowly.
//!
//! A cluster as it is published knows neither Delta nor anything of ours. So a statement goes to it with what it has to know: of each table
//! the files of the version that was opened here, and row by row what no table has yet.

use crate::{StoreError, heads::Head, lake::Lake, tables::DAY};
use ballista::extension::{SessionConfigExt, SessionContextExt};
use datafusion::{
    arrow::{
        array::ArrayRef,
        datatypes::{DataType, Schema, SchemaRef},
        record_batch::RecordBatch,
    },
    datasource::{
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    error::DataFusionError,
    execution::SessionStateBuilder,
    logical_expr::{LogicalPlanBuilder, cast},
    prelude::{DataFrame, Expr, SessionConfig, SessionContext, ident},
    scalar::ScalarValue,
};
use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use url::Url;

const SCHEME: &str = "df";
const PORT: u16 = 50050;
/// In how many parts a cluster works at a statement, unless something else is said: what Ballista does by itself.
pub const PARTITIONS: usize = 16;
/// The most parts.
pub const PARTITIONS_MAX: usize = 4096;
/// How long a scheduler may take to accept a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// How many events no table may have yet: they go along with each statement.
const LIVE_MAX: usize = 10_000;

/// Where the scheduler of a cluster is: `df://HOST` or `df://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterUrl {
    host: String,
    port: u16,
}

impl FromStr for ClusterUrl {
    type Err = String;

    /// What is wrong with it, to be said after its name.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.scheme() != SCHEME {
            return Err("it does not begin with df://".to_owned());
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Err("it names no host".to_owned()) };
        let is_more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
        if is_more || !url.username().is_empty() || url.password().is_some() {
            return Err("it holds more than a host and a port".to_owned());
        }
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(PORT) })
    }
}

impl fmt::Display for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}://{}:{}", self.host, self.port)
    }
}

/// A cluster, and how it is asked.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Where its scheduler is.
    pub url: ClusterUrl,
    /// In how many parts it works at a statement, from 1 to [`PARTITIONS_MAX`].
    pub partitions: usize,
}

impl Cluster {
    /// An engine whose statements are worked out there.
    pub(crate) async fn engine(&self) -> Result<SessionContext, StoreError> {
        let failed = |source| StoreError::Cluster { url: self.url.clone(), source };
        // Asked by its own client, a scheduler that is not there is no error for minutes.
        let host = self.url.host.trim_matches(['[', ']']);
        let connected = timeout(CONNECTED_WITHIN, TcpStream::connect((host, self.url.port))).await;
        connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut))).map_err(failed)?;
        let mut config = SessionConfig::new_with_ballista()
            .with_information_schema(false)
            .with_target_partitions(self.partitions)
            // With it, a statement that joins what is grouped never ended (Ballista 55.0.0).
            .with_ballista_adaptive_query_planner(false);
        // With it, what reads an attribute of files and of rows beside them has no plan (DataFusion 55.2.0).
        config.options_mut().optimizer.enable_leaf_expression_pushdown = false;
        let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        Ok(SessionContext::remote_with_state(&self.url.to_string(), state).await?)
    }
}

/// What a machine of the cluster said in place of an answer, where a statement failed of that: its client quotes the status of the call.
pub(crate) fn unanswered(error: &DataFusionError) -> Option<&str> {
    let DataFusionError::Execution(quoted) = error.find_root() else { return None };
    let (_, said) = quoted.strip_prefix("Status {")?.split_once("message: \"")?;
    said.split('"').next()
}

/// The rows of a table, in the columns of a schema: what its files lack is null.
pub(crate) fn of_files(
    engine: &SessionContext,
    lake: &Lake,
    name: &'static str,
    head: &Head,
    schema: &SchemaRef,
) -> Result<DataFrame, StoreError> {
    let files: Vec<_> = head.files().ok_or(StoreError::NotForCluster(name))?.collect();
    let folder = lake.location(name)?;
    // Where an earlier Milepost divided the table by day, the folders of its files tell the day, and the files do not.
    let is_divided = files.iter().any(|file| file.contains('/'));
    let is_derived = |column: &str| is_divided && column == DAY;
    let url = |file: &str| {
        let mut url = folder.clone();
        // As the path of an object: what is special in a URL is written as such.
        url.path_segments_mut().map_err(|()| StoreError::NotForCluster(name))?.pop_if_empty().extend(file.split('/'));
        Ok(ListingTableUrl::try_new(url, None)?)
    };
    let files = files.into_iter().map(url).collect::<Result<Vec<_>, StoreError>>()?;
    if files.is_empty() {
        return none(engine, schema);
    }
    let in_files: Vec<_> = schema.fields().iter().filter(|field| !is_derived(field.name())).cloned().collect();
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()));
    let config = ListingTableConfig::new_with_multi_paths(files).with_listing_options(options).with_schema(Arc::new(Schema::new(in_files)));
    let column = |name: &String| if is_derived(name) { cast(ident("at"), DataType::Date32).alias(DAY) } else { ident(name) };
    let columns: Vec<_> = schema.fields().iter().map(|field| column(field.name())).collect();
    Ok(engine.read_table(Arc::new(ListingTable::try_new(config)?))?.select(columns)?)
}

/// Rows that go along with the statement.
pub(crate) fn of_rows(engine: &SessionContext, rows: &[RecordBatch], schema: &SchemaRef) -> Result<DataFrame, StoreError> {
    let n = rows.iter().map(RecordBatch::num_rows).sum();
    if n == 0 {
        return none(engine, schema);
    }
    if n > LIVE_MAX {
        return Err(StoreError::TooManyLive(n));
    }
    let mut values = Vec::with_capacity(n);
    for batch in rows {
        for row in 0..batch.num_rows() {
            let value = |column: &ArrayRef| Ok(Expr::Literal(ScalarValue::try_from_array(column, row)?, None));
            values.push(batch.columns().iter().map(value).collect::<Result<Vec<_>, StoreError>>()?);
        }
    }
    of_values(engine, values, schema)
}

/// No rows. Of a relation without any, a cluster is not told the columns.
fn none(engine: &SessionContext, schema: &SchemaRef) -> Result<DataFrame, StoreError> {
    let null = |data_type: &DataType| Ok(Expr::Literal(ScalarValue::try_from(data_type)?, None));
    let row = schema.fields().iter().map(|field| null(field.data_type())).collect::<Result<Vec<_>, StoreError>>()?;
    let first = schema.fields().first().ok_or(StoreError::Shape("column"))?;
    Ok(of_values(engine, vec![row], schema)?.filter(ident(first.name()).is_not_null())?)
}

fn of_values(engine: &SessionContext, values: Vec<Vec<Expr>>, schema: &SchemaRef) -> Result<DataFrame, StoreError> {
    let plan = LogicalPlanBuilder::values(values)?;
    let names = plan.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let columns = names.iter().zip(schema.fields()).map(|(name, field)| ident(name).alias(field.name()));
    Ok(DataFrame::new(engine.state(), plan.project(columns)?.build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_call_that_failed_its_message_is_told() {
        let status = "Status { code: Cancelled, message: \"Timeout expired\", source: Some(tonic::transport::Error(Transport, TimeoutExpired(()))) }";
        let failed = |what: &str| DataFusionError::Execution(what.to_owned()).context("somewhere");
        assert_eq!(unanswered(&failed(status)), Some("Timeout expired"));
        assert_eq!(unanswered(&failed("Divide by zero")), None);
    }

    #[test]
    fn a_cluster_is_named_by_host_and_port() {
        let of = |text: &str| text.parse::<ClusterUrl>().map(|url| url.to_string());
        assert_eq!(of("df://scheduler:50051").as_deref(), Ok("df://scheduler:50051"));
        assert_eq!(of("df://10.0.0.7").as_deref(), Ok("df://10.0.0.7:50050"));
        for (text, why) in [
            ("http://scheduler:50050", "it does not begin with df://"),
            ("df://", "it names no host"),
            ("df://user@scheduler", "it holds more than a host and a port"),
            ("df://scheduler/jobs", "it holds more than a host and a port"),
        ] {
            assert_eq!(of(text), Err(why.to_owned()), "{text}");
        }
    }
}
