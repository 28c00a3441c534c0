//! TLS with a certificate and a key from files.

use super::{connections::Protocol, renewed::Renewed};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// The longest file with a chain of certificates or with a key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The newest certificate of two files that may be renewed at any time.
pub(crate) struct Tls {
    config: Renewed<ServerConfig>,
}

impl Tls {
    /// Reads a chain of certificates and the key of the first one, both as PEM. They are read again once they have changed; where what
    /// they became is of no use, `say` hears it and what was read before holds: whoever renews them writes one after the other.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn of(certificates: PathBuf, key: PathBuf, protocol: Protocol, say: fn(&str)) -> Result<Self, String> {
        let files = vec![certificates.clone(), key.clone()];
        Ok(Self { config: Renewed::new(files, say, move || read(&certificates, &key, protocol))? })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.config.get().into()
    }
}

fn read(certificates: &Path, key: &Path, protocol: Protocol) -> Result<ServerConfig, String> {
    let of = |file: &Path, fault: &str| format!("{}: {fault}", file.display());
    let chain = CertificateDer::pem_slice_iter(&bytes(certificates)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| of(certificates, &format!("cannot be read as PEM: {error}")))?;
    if chain.is_empty() {
        return Err(of(certificates, "holds no certificate; PEM is wanted, with `-----BEGIN CERTIFICATE-----`"));
    }
    // What is wrong with it is not told, as the text of an error may hold a part of it.
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?)
        .map_err(|_| of(key, "holds no private key that can be read; PEM is wanted, with `-----BEGIN PRIVATE KEY-----`, not encrypted"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("cannot speak TLS: {error}"))?.with_no_client_auth().with_single_cert(chain, private);
    let unfit = |error| format!("the key in {} does not fit the certificate in {}: {error}", key.display(), certificates.display());
    let mut config = config.map_err(unfit)?;
    config.alpn_protocols = vec![protocol.name().to_vec()];
    Ok(config)
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let metadata = fs::metadata(file)?;
        if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("is no file of at most {FILE_BYTES_MAX} bytes")));
        }
        fs::read(file)
    };
    read().map_err(|error| format!("{}: {error}", file.display()))
}
