//! A bucket of object storage, for the tables of machines that have no folder in common.
//!
//! Whoever writes a file there says what it has to be before: not there at all, or as it was read. So of several machines that write
//! the same at once, one does, and the others are told. A server that takes such a request and ignores the condition would lose what was
//! acknowledged, without an error: so it is tried whether it keeps it before anything is written.

use crate::{
    StoreError,
    lake::{Lake, OWN_BYTES_MAX, too_large},
};
use bytes::Bytes;
use deltalake_core::{
    DeltaTableBuilder, DeltaTableError,
    logstore::{LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories},
};
use futures::TryStreamExt;
use milepost_record::random_id;
use object_store::{
    ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion, aws::AmazonS3Builder,
    path::Path,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::Url;

const SCHEME: &str = "s3";
/// How long a request is tried again before that is an error.
const RETRIED_FOR: Duration = Duration::from_secs(60);
/// How long a server may take to accept a connection, and to answer a request.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Where the tables of several machines are: `s3://BUCKET` or `s3://BUCKET/FOLDER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketUrl(Url);

impl FromStr for BucketUrl {
    type Err = String;

    /// What is wrong with it, to be said after its name.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| why.to_owned();
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.scheme() != SCHEME {
            return Err(wrong("it does not begin with s3://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it names no bucket"));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.port().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(wrong("it holds more than a bucket and a folder, and credentials come from the environment"));
        }
        Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
        Ok(Self(url))
    }
}

impl TryFrom<String> for BucketUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<BucketUrl> for String {
    fn from(url: BucketUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A file as it was read, and what it takes to replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: Bytes,
    version: UpdateVersion,
}

/// A folder of a bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    url: BucketUrl,
    /// The whole bucket.
    store: Arc<dyn ObjectStore>,
    folder: Path,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.url.to_string()).finish()
    }
}

impl Bucket {
    /// The one that a URL names; credentials, region and the address of a server that is not Amazon's come from the environment, by
    /// the names that Amazon's own tools have. Nothing is asked of the server yet.
    pub(crate) fn open(url: &BucketUrl) -> Result<Self, StoreError> {
        let client = ClientOptions::new().with_connect_timeout(CONNECTED_WITHIN).with_timeout(ANSWERED_WITHIN);
        let retry = RetryConfig { retry_timeout: RETRIED_FOR, ..RetryConfig::default() };
        // After the environment, whose options for the client it would replace otherwise.
        let plain_http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| matches!(value.as_str(), "1" | "true"));
        let builder = AmazonS3Builder::from_env().with_url(url.0.as_str()).with_retry(retry);
        let store = builder.with_client_options(client.with_allow_http(plain_http)).build();
        let store = store.map_err(|source| StoreError::Bucket { action: "use", what: url.to_string(), source: Box::new(source) })?;
        Ok(Self::of(url.clone(), Arc::new(store)))
    }

    fn of(url: BucketUrl, store: Arc<dyn ObjectStore>) -> Self {
        // It was looked at when the URL was read.
        let folder = Path::from_url_path(url.0.path()).unwrap_or_default();
        Self { url, store, folder }
    }

    pub(crate) const fn url(&self) -> &BucketUrl {
        &self.url
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').filter(|part| !part.is_empty()).fold(self.folder.clone(), |path, part| path.join(part))
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(Error) -> StoreError {
        let what = format!("{}/{name}", self.url);
        move |source| StoreError::Bucket { action, what, source: Box::new(source) }
    }

    /// Tries whether the server keeps what it is told a file has to be before.
    ///
    /// # Errors
    /// Where it does not, or cannot be reached.
    pub(crate) async fn prove(&self) -> Result<(), StoreError> {
        let name = format!("probe-{}", random_id());
        let proven = self.proven(&name).await;
        let removed = self.remove(&name).await;
        if proven? {
            return removed;
        }
        let what = "this server ignores conditions, so that of two machines that write at once, one would lose what it acknowledged: Milepost \
                    needs one that knows `If-None-Match` and `If-Match` for writes, as Amazon S3, Cloudflare R2 and MinIO do";
        Err(StoreError::Layout { path: self.url.to_string().into(), what: what.to_owned() })
    }

    async fn proven(&self, name: &str) -> Result<bool, StoreError> {
        let Some(first) = self.replace(name, "1", None).await? else { return Ok(false) };
        if self.replace(name, "2", None).await?.is_some() || self.read(name).await?.as_ref() != Some(&first) {
            return Ok(false);
        }
        // Once the file is another one, the first is no condition any more.
        Ok(self.replace(name, "3", Some(&first)).await?.is_some() && self.replace(name, "4", Some(&first)).await?.is_none())
    }

    /// A file; none where there is none.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Seen>, StoreError> {
        let failed = || self.failed("read", name);
        let found = match self.store.get(&self.path(name)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed())?,
        };
        if found.meta.size > OWN_BYTES_MAX {
            return Err(too_large(std::path::Path::new(&format!("{}/{name}", self.url))));
        }
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok(Some(Seen { bytes: found.bytes().await.map_err(failed())?, version }))
    }

    /// Writes a file as a whole, where it is as it was seen, or is not there, and returns how it is seen then; none where it is not so.
    pub(crate) async fn replace(&self, name: &str, bytes: impl Into<Bytes>, was: Option<&Seen>) -> Result<Option<Seen>, StoreError> {
        let mode = was.map_or(PutMode::Create, |seen| PutMode::Update(seen.version.clone()));
        let bytes = bytes.into();
        match self.store.put_opts(&self.path(name), bytes.clone().into(), PutOptions::from(mode)).await {
            Ok(written) => Ok(Some(Seen { bytes, version: written.into() })),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(None),
            // What was there is gone.
            Err(Error::NotFound { .. }) if was.is_some() => Ok(None),
            Err(error) => Err(self.failed("write", name)(error)),
        }
    }

    /// Removes a file, unless it is gone already.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.path(name)).await {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }

    /// All files of a folder and of those in it: each by its path under this one, and how long it is.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let within = |meta: ObjectMeta| {
            let parts = meta.location.prefix_match(&self.folder)?.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>();
            Some((parts.join("/"), meta.size))
        };
        let found: Vec<_> = self.store.list(Some(&self.path(folder))).try_collect().await.map_err(self.failed("list", folder))?;
        Ok(found.into_iter().filter_map(within).collect())
    }

    /// Where a table in it is.
    pub(crate) fn location(&self, name: &str) -> Result<Url, DeltaTableError> {
        Url::parse(&format!("{}/{name}/", self.url)).map_err(|error| DeltaTableError::Generic(error.to_string()))
    }

    /// A table in it.
    pub(crate) fn table(&self, name: &str) -> Result<DeltaTableBuilder, DeltaTableError> {
        let location = self.location(name)?;
        if let Ok(scheme) = Url::parse(&format!("{SCHEME}://")) {
            logstore_factories().entry(scheme).or_insert_with(|| Arc::new(Logs));
        }
        Ok(DeltaTableBuilder::from_url(location.clone())?.with_storage_backend(Arc::clone(&self.store), location))
    }
}

/// The files of a bucket that are one for all machines, but for the tables. Each is replaced only where it is as it was read here last.
pub struct CommonFiles {
    bucket: Bucket,
    seen: Mutex<BTreeMap<String, Seen>>,
}

impl CommonFiles {
    /// Those of a data folder; none where its tables are in no bucket.
    ///
    /// # Errors
    /// Where the store does not say where its tables are.
    pub fn of(data: &std::path::Path) -> Result<Option<Self>, StoreError> {
        let bucket = Lake::find(data)?.and_then(|lake| lake.bucket().cloned());
        Ok(bucket.map(|bucket| Self { bucket, seen: Mutex::default() }))
    }

    /// Where a file is, to be said to people.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.bucket.url)
    }

    /// What a file holds; none where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let seen = self.bucket.read(name).await?;
        let bytes = seen.as_ref().map(|seen| seen.bytes.clone());
        self.note(name, seen);
        Ok(bytes)
    }

    /// Replaces a file.
    ///
    /// # Errors
    /// Where another machine replaced it meanwhile ([`StoreError::Busy`]), or it cannot be written.
    pub async fn write(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let was = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let seen = self.bucket.replace(name, bytes, was.as_ref()).await?.ok_or(StoreError::Busy)?;
        self.note(name, Some(seen));
        Ok(())
    }

    fn note(&self, name: &str, seen: Option<Seen>) {
        let mut known = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Some(seen) => _ = known.insert(name.to_owned(), seen),
            None => _ = known.remove(name),
        }
    }
}

/// What to do about an error of a bucket.
pub(crate) fn advice(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated { .. } => WHO,
        Error::PermissionDenied { .. } => "; the bucket's owner has to let this machine list, read, write and remove there",
        Error::NotFound { .. } => "; there is no such bucket: make it, or look at the name and at AWS_REGION",
        error => advice_on_table(error),
    }
}

const WHO: &str =
    "; who this machine is, the environment says: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the machine itself was given";

const REACHED: &str = "; look whether the server can be reached, and at AWS_ENDPOINT_URL_S3 and AWS_REGION";

/// What to do about an error of a table, which may be in a bucket. Of what has no kind of its own, the text alone tells.
pub(crate) fn advice_on_table(error: &impl fmt::Display) -> &'static str {
    let said = error.to_string();
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    // Without any credentials, a virtual machine is asked for its own, at this address.
    if says(&["Missing AccessKeyId", "Missing SecretAccessKey", "http://169.254."]) {
        WHO
    } else if says(&["HTTP error"]) {
        REACHED
    } else {
        ""
    }
}

/// The logs of tables in a bucket are those of tables anywhere: a commit is a file that must not be there yet.
struct Logs;

impl LogStoreFactory for Logs {
    fn with_options(
        &self,
        prefixed: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> Result<Arc<dyn LogStore>, DeltaTableError> {
        Ok(default_logstore(prefixed, root, location, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream::BoxStream;
    use object_store::{GetOptions, GetResult, ListResult, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, memory::InMemory};

    fn url(text: &str) -> BucketUrl {
        text.parse().expect("a URL")
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn a_url_names_a_bucket_and_a_folder() {
        for (text, shown, folder) in [
            ("s3://bucket", "s3://bucket", ""),
            ("s3://bucket/", "s3://bucket", ""),
            ("s3://bucket/a/b", "s3://bucket/a/b", "a/b"),
            ("s3://bucket/a/b/", "s3://bucket/a/b", "a/b"),
        ] {
            let url = url(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(Bucket::of(url, Arc::new(InMemory::new())).folder.as_ref(), folder);
        }
        for (text, why) in [
            ("bucket", "relative URL"),
            ("https://bucket/a", "does not begin with s3://"),
            ("s3:///a", "names no bucket"),
            ("s3://key:secret@bucket/a", "credentials come from the environment"),
            ("s3://bucket/a?x=1", "more than a bucket"),
            ("s3://bucket/a//b", "empty"),
        ] {
            let error = text.parse::<BucketUrl>().expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn it_is_said_what_to_do() {
        let generic = |why: &str| Error::Generic { store: "S3", source: why.to_owned().into() };
        assert_eq!(advice(&generic("Missing AccessKeyId")), WHO);
        assert_eq!(advice(&generic("Error performing PUT http://169.254.169.254/latest/api/token in 10s")), WHO);
        assert_eq!(advice(&generic("Error performing GET http://127.0.0.1:9000/team in 10s - HTTP error: error sending request")), REACHED);
        assert_eq!(advice(&generic("Error performing GET http://127.0.0.1:9000/team in 10s - Server returned error response")), "");
        let source = || String::new().into();
        assert_eq!(advice(&Error::Unauthenticated { path: String::new(), source: source() }), WHO);
        assert!(advice(&Error::PermissionDenied { path: String::new(), source: source() }).contains("list, read, write and remove"));
        assert!(advice(&Error::NotFound { path: String::new(), source: source() }).contains("no such bucket"));
    }

    #[test]
    fn a_file_is_replaced_by_who_saw_it_last() {
        let bucket = Bucket::of(url("s3://bucket/team"), Arc::new(InMemory::new()));
        block_on(async {
            assert_eq!(bucket.read("a.json").await.expect("read"), None);
            let written = bucket.replace("a.json", "1", None).await.expect("written");
            assert_eq!(bucket.replace("a.json", "2", None).await.expect("refused"), None, "it is there");
            let seen = bucket.read("a.json").await.expect("read").expect("a file");
            assert_eq!((seen.bytes.as_ref(), Some(&seen)), (&b"1"[..], written.as_ref()));
            assert!(bucket.replace("a.json", "2", Some(&seen)).await.expect("written").is_some());
            assert_eq!(bucket.replace("a.json", "3", Some(&seen)).await.expect("refused"), None, "it is another one");
            bucket.replace("x/b", "b", None).await.expect("written");
            assert_eq!(bucket.list("x").await.expect("listed"), [("x/b".to_owned(), 1)]);
            bucket.remove("a.json").await.expect("removed");
            bucket.remove("a.json").await.expect("gone");
            bucket.prove().await.expect("conditions are kept");
            assert_eq!(bucket.list("").await.expect("listed"), [("x/b".to_owned(), 1)], "nothing is left of the trial");
        });
    }

    /// A server that takes each file, whatever it has to be before.
    #[derive(Debug)]
    struct Careless {
        store: InMemory,
        /// Whether it looks at least whether a file is there.
        looks: bool,
    }

    impl fmt::Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("careless")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Careless {
        async fn put_opts(&self, at: &Path, payload: PutPayload, mut options: PutOptions) -> object_store::Result<PutResult> {
            if !(self.looks && options.mode == PutMode::Create) {
                options.mode = PutMode::Overwrite;
            }
            self.store.put_opts(at, payload, options).await
        }

        async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> object_store::Result<Box<dyn MultipartUpload>> {
            self.store.put_multipart_opts(at, options).await
        }

        async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
            self.store.get_opts(at, options).await
        }

        fn delete_stream(&self, paths: BoxStream<'static, object_store::Result<Path>>) -> BoxStream<'static, object_store::Result<Path>> {
            self.store.delete_stream(paths)
        }

        fn list(&self, folder: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
            self.store.list(folder)
        }

        async fn list_with_delimiter(&self, folder: Option<&Path>) -> object_store::Result<ListResult> {
            self.store.list_with_delimiter(folder).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: object_store::CopyOptions) -> object_store::Result<()> {
            self.store.copy_opts(from, to, options).await
        }
    }

    #[test]
    fn a_server_that_ignores_conditions_is_refused() {
        for looks in [false, true] {
            let bucket = Bucket::of(url("s3://bucket/team"), Arc::new(Careless { store: InMemory::new(), looks }));
            let error = block_on(bucket.prove()).expect_err("a careless server").to_string();
            assert!(error.starts_with("s3://bucket/team: this server ignores conditions"), "{error}");
            assert_eq!(block_on(bucket.list("")).expect("listed"), []);
        }
    }
}
