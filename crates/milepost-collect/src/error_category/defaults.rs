//! The default rules: which words of which programs mean what.

use super::{NETWORK, NOT_FOUND, PERMISSION, UNKNOWN, VALIDATION};

/// The rules, in order. A comment names who prints a pattern where it is not many: words without one come from the C
/// library and are the same in most programs.
///
/// A category stands more than once where its narrow rules have to come before the wide ones of another.
pub(super) const DEFAULTS: &[(&str, &[&str])] = &[
    // Known, and none of the other four: the machine is full, busy or gave up.
    (
        UNKNOWN,
        &[
            "no space left on device",
            "disk quota exceeded",
            "file too large",
            "out of memory",
            "cannot allocate memory",
            "cannot allocate * bytes", // bash
            "memoryerror",             // python
            "outofmemoryerror",        // java
            "too many open files",
            "resource temporarily unavailable",
            "cannot fork",
            "device or resource busy",
            "text file busy",
            "address already in use",
            "eaddrinuse", // node
            "input/output error",
            "segmentation fault",
            "core dumped",
            "lock': file exists",      // git: another git holds the index
            "could not get lock",      // apt
            "is locked by another",    // dpkg
            "database is locked",      // sqlite
            "since it is still alive", // nix: deleting a path that is in use
        ],
    ),
    // The other end could not be found. curl's words are also those of nix, git, cargo, cmake and many more.
    (
        NETWORK,
        &[
            "name or service not known",
            "temporary failure in name resolution",
            "no address associated with hostname",
            "nodename nor servname provided", // macOS
            "could not resolve host*",        // curl, ssh
            "couldn't resolve host*",         // curl
            "cannot resolve host*",
            "could not resolve '*",     // apt; without the quotation mark npm and gradle speak of dependencies
            "failure resolving",        // apt
            "failed to resolve '*",     // python's urllib3
            "unable to resolve host*",  // wget
            "could not translate host", // psql
            "getaddrinfo",              // node, rsync
            "enotfound",                // node, npm
            "eai_again",                // node, npm
            "unknownhostexception",     // java
            "unknown host",
            "unknown server host", // mysql
            "bad address '*",      // busybox
            "no such host",        // go
            "nxdomain",            // host, dig
        ],
    ),
    // It could not be reached, or the talk broke off.
    (
        NETWORK,
        &[
            "connection refused",
            "connectionrefused*",  // rust, python
            "econnrefused",        // node, npm
            "connect call failed", // python's asyncio
            "connection reset",
            "connectionreset*",
            "econnreset",
            "connection timed out",
            "etimedout",
            "no route to host",
            "ehostunreach",
            "network is unreachable",
            "enetunreach",
            "network is down",
            "host is down",
            "connection aborted",
            "connection closed",
            "connection was closed",
            "connection unexpectedly closed",
            "connection broken by",                 // pip warns of it; its error then says that no version was found
            "connection to server was lost",        // psql
            "closed the connection",                // psql
            "closed connection",                    // python's http.client
            "connection to * closed by",            // ssh
            "connection to * timed out",            // ssh
            "send disconnect",                      // ssh
            "lost connection",                      // scp
            "remotedisconnected",                   // python
            "serverdisconnected*",                  // python's aiohttp
            "max retries exceeded",                 // python's urllib3
            "failed to establish a new connection", // python's urllib3
            "remote end hung up unexpectedly",      // git
            "unexpected disconnect while reading",  // git
            "empty reply from server",              // curl
            "recv failure",                         // curl
            "send failure",                         // curl
            "receiving data from the peer",         // curl
            "sending data to the peer",             // curl
            "transfer closed with",                 // curl
            "redirects followed",                   // curl: the other end sends in circles
            "error in socket io",                   // rsync
            "error during connect",                 // docker
            "error connecting to agent",            // ssh-add
            "connection to your authentication agent", // ssh-add
            "terminating connection due to",        // postgres
            "network connectivity",                 // npm
            "--offline was specified",              // cargo: it would have asked
            "using offline mode",                   // cargo
            "cannot download * from any mirror",    // nixpkgs: its builders try several
        ],
    ),
    // It did not answer in time. A bare "timed out" is not here: commands, locks and tests run out of time as well.
    (
        NETWORK,
        &[
            "operation timed out", // curl
            "operation too slow",  // curl
            "timeout was reached", // curl
            "read timed out",      // pip, wget
            "readtimeout:",        // python's requests and httpx
            "readtimeouterror",
            "connecttimeout:",
            "connecttimeouterror",
            "timeouterror: timed out",          // python's sockets and nothing else of python
            "timed out during banner exchange", // ssh
            "aborted due to timeout",           // fetch in node
            "request timed out",                // httpie
            "net::readtimeout",                 // ruby
            "net::opentimeout",                 // ruby
            "i/o timeout",                      // go
            "context deadline exceeded",        // go
            "handshake timeout",
            "network timeout",
        ],
    ),
    // It answered and was not believed.
    (
        NETWORK,
        &[
            "certificate verify failed",       // python, openssl
            "certificate_verify_failed",       // python
            "certificate verification failed", // git, apt
            "certificate problem",             // curl
            "ssl peer certificate",            // curl
            "certificate of * is not trusted", // wget
            "self-signed certificate",
            "self signed certificate",
            "depth_zero_self_signed_cert", // node, npm
            "unable to get local issuer certificate",
            "unable_to_get_issuer_cert*", // node, npm
            "certificate has expired",
            "certificate is expired",
            "cert_has_expired",                        // node, npm
            "certificate signed by unknown authority", // go
            "ssl*wrong version number",                // openssl: the other end does not speak TLS
            "wrong_version_number",                    // python
            "sslerror",                                // python
            "sslhandshakeexception",                   // java
            "handshake failure",
            "handshake failed",
            "host key verification failed", // ssh
        ],
    ),
    // It failed itself, or asks to wait.
    (
        NETWORK,
        &[
            "http error 5*", // nix, python, pip
            "http error 429",
            "returned error: 5*", // curl, git
            "returned error: 429",
            "http response * got 5*", // cargo
            "http response * got 429",
            "internal server error",
            "bad gateway",
            "service unavailable",
            "service temporarily unavailable",
            "gateway timeout",
            "gateway time-out",
            "too many requests",
        ],
    ),
    (
        PERMISSION,
        &[
            "permission denied",
            "eacces",          // node, npm
            "permissionerror", // python
            "operation not permitted",
            "not permitted",
            "eperm", // node, npm
            "access denied",
            "access is denied", // windows
            "accessdenied*",
            "read-only file system",
            "erofs",
            "readonly database", // sqlite
            "must be owner of",  // postgres
            "insufficient privilege*",
            "insufficient permission*",
            "are you root", // apt
            "must be root",
            "must be superuser", // mount
            "be run as root",
            "superuser privilege*", // dpkg
            "root privilege*",
            "not in the sudoers file",
            "a password is required",                      // sudo
            "a terminal is required to read the password", // sudo
            "incorrect password",
            "wrong password",
            "auth login",           // gh and others that nobody has logged in to
            "no password supplied", // psql
            "authentication fail*", // su, git, wget
            "authentication required",
            "password authentication failed", // postgres
            "could not read username",        // git without a terminal
            "could not read password",        // git without a terminal
            "invalid credentials",
            "bad credentials",
            "must be logged in",
            "eneedauth", // npm
            "not authorized",
            "unauthorized",
            "forbidden",                 // also nix's pure evaluation
            "feature * is disabled",     // nix: flakes that the configuration does not allow
            "refusing to evaluate",      // nixpkgs: unfree, insecure, broken
            "is not an executable file", // fish
            "http error 401",
            "http error 403",
            "returned error: 401", // curl, git
            "returned error: 403",
            "http response * got 401", // cargo
            "http response * got 403",
            "not allowed to",
            "dubious ownership",              // git
            "hook declined",                  // git
            "externally-managed-environment", // pip
        ],
    ),
    (
        NOT_FOUND,
        &[
            "http error 404",
            "http error 410",
            "returned error: 404", // curl, git
            "returned error: 410",
            "http response * got 404",   // cargo
            "unable to open repository", // subversion
        ],
    ),
    // These often tell why as well, and then the reason decides: permission above. A socket that is not there is nobody who
    // listens, so this stands above "no such file".
    (
        NETWORK,
        &[
            "failed to connect to",
            "could not connect to",
            "couldn't connect to",
            "unable to connect to",
            "cannot connect to",
            "can't connect to",
            "connect(* no such file",                   // socat
            "server on socket * failed: no such file",  // psql
            "search path entry * cannot be downloaded", // nix: it then says that it found no such file
        ],
    ),
    // Narrow words of bad usage and bad sources that speak of "no such" or "not found" all the same.
    (
        VALIDATION,
        &[
            "no such option",                     // pip and other python programs
            "no such command",                    // cargo
            "does not exist on type",             // typescript
            "the option `*' does not exist",      // nixpkgs
            "no connection adapters",             // python's requests
            "no such comparison operator",        // uv
            "requested command * does not exist", // python's cleo
            "syntax error*",
            "syntaxerror",
            "parse error*",
            "failed to parse",
            "error[e*",            // rustc
            "cannot find symbol",  // javac
            "signature not found", // unzip
            "no valid",            // gpg, git apply
            "err_invalid_url",     // node
        ],
    ),
    // The program itself is at fault: nobody named anything missing or wrong.
    (
        UNKNOWN,
        &[
            "assertionerror", // python
            "attributeerror:",
            "indexerror:",
            "keyerror:",
            "nameerror:",
            "typeerror:",      // python, node
            "referenceerror:", // node
            "nullpointerexception",
        ],
    ),
    (
        NOT_FOUND,
        &[
            "no such file*", // dash stops after "file"
            "no such",       // process, table, user, device, image, container
            "enoent",
            "not found",
            "notfound",      // rust
            "filenotfound*", // python, java
            "modulenotfounderror",
            "module_not_found", // node
            "classnotfoundexception",
            "command not found",
            "does not exist",
            "doesn't exist",
            "not installed",
            "cannot find",
            "can't find",
            "could not find",
            "couldn't find",
            "unable to find",
            "did not find",                   // cmake
            "neither * contains",             // meson
            "failed to load external entity", // libxml2
            "cannot locate",
            "can't locate", // perl
            "unable to locate",
            "cannot import name",        // python
            "no module named",           // python
            "is not recognized as",      // windows: a command
            "couldn't open file",        // curl
            "unable to access jarfile",  // java
            "could not open input file", // php
            "cannot load such file",     // ruby
            "fish: unknown command*",
            "is not available",
            "attribute * missing",                 // nix
            "does not provide attribute",          // nix
            "matches no derivations",              // nix
            "matched no",                          // nix
            "no profile version older",            // nix
            "don't know how to build these paths", // nix
            "path '/nix/store/*' is not valid",    // nix: not in the store
            "no results for",                      // nix search
            "did not match any",                   // git
            "does not match any",                  // git
            "invalid reference",                   // git
            "unknown revision",                    // git
            "bad revision",                        // git
            "no tracking information",             // git
            "not a git repository",
            "is not a working copy",     // subversion
            "not under version control", // subversion
            "does not appear to be a git repository",
            "does not appear to contain",    // cmake
            "does not contain this feature", // cargo
            "no matching",                   // pip, cargo
            "no matches",                    // zsh
            "no * found",
            "no * target named", // cargo
            "no rule to make target",
            "no known rule to make it",     // ninja
            "no targets specified",         // make
            "no installation candidate",    // apt
            "not available in the sources", // apt
            "does not have a release file", // apt
            "missing script",               // npm
            "existing package-lock.json",   // npm
            "config.yaml is not a file",    // pre-commit
            "no manual entry",              // man
            "no public key",                // gpg
            "no secret key",                // gpg
            "unknown user",                 // sudo
            "invalid user",                 // chown
            "invalid group",                // chgrp
            "manifest unknown",             // docker
        ],
    ),
    // What fetched it did not say why.
    (NETWORK, &["unable to download", "failed to download"]),
    // Usage.
    (
        VALIDATION,
        &[
            "unrecognized",
            "unrecognised",
            "unknown option*",
            "unknown * option", // typescript
            "unknown flag*",
            "unknown switch*", // git
            "unknown command*",
            "unknown subcommand*",
            "unknown argument*",
            "unknown hash algorithm", // nix
            "unknown predicate",      // find
            "unknown device/address", // socat
            "unknown cmake command",
            "option * is unknown", // curl
            "illegal option*",
            "bad option*",
            "bad configuration option*", // ssh
            "bad config*",               // git
            "is not understood",         // apt
            "not recognized",
            "not recognised",
            "is not known on line", // apt
            "not a * command",      // git, nix
            "missing * operand",
            "missing operand*",
            "missing argument*",
            "missing option*", // python's click
            "missing url",     // wget
            "extra operand*",
            "unexpected argument*",
            "unexpected extra argument*", // python's click
            "too many arguments",
            "too few arguments",
            "not enough arguments",
            "must give at least", // pip
            "must specify",
            "requires at least",
            "required argument*",
            "arguments are required",                // python's argparse
            "no operation specified",                // nix
            "called without required argument",      // nix
            "flag provided but not defined",         // go
            "expected a proper numerical parameter", // curl
        ],
    ),
    // Form.
    (
        VALIDATION,
        &[
            "indentationerror", // python
            "parseerror",
            "jsondecodeerror",       // python
            "tomldecodeerror",       // python
            "unicodedecodeerror",    // python
            "parseinterror",         // rust
            "parsefloaterror",       // rust
            "numberformatexception", // java
            "illegalargumentexception",
            "valueerror:", // python
            "invalid",
            "malformed",
            "improper",                    // imagemagick
            "incompatible types",          // mypy, javac
            "illegal number",              // dash
            "illegal start of",            // javac
            "integer expression expected", // bash
            "unary operator expected",     // bash
            "bad substitution",            // bash
            "bad request",
            "unprocessable entity",
            "returned error: 400", // curl, git
            "returned error: 422",
            "bad/illegal format", // curl
            "unexpected eof",
            "unexpected end of",
            "unexpected token",
            "unexpected character",
            "unexpected newline*", // gawk
            "unexpected symbol",   // lua
            "expecting",
            "expected '*, got",    // ninja
            "missing close-brace", // tcl
            "cannot parse",        // black
            "not defined",
            "unterminated",
            "unclosed",
            "unmatched",
            "expected * at line",             // rust's serde_json
            "missing separator",              // make
            "error: expected",                // rustc, gcc
            "was expected",                   // nix
            "cannot coerce",                  // nix
            "cannot convert a * to",          // nix
            "expected a function",            // nix
            "is not a derivation",            // nix
            "is not of type",                 // nixpkgs: an option
            "infinite recursion encountered", // nix
            "undeclared",                     // gcc
            "error ts*",                      // typescript
            "validation error*",              // python's pydantic
            "undefined reference",            // ld
            "undefined variable",             // nix
            "unbound variable",               // bash
            "readonly variable",              // bash
            "section headers",                // python's configparser
            "re.error:",                      // python
            "cannot index",                   // jq
            "is not valid",
            "not a valid",
            "too short to be a valid", // nix
            "file name too long",
            "out of range",
            "must be",
            "must have",
            "must put",                          // apt
            "configuration setting * should be", // nix
            "ident name * not allowed",          // git
        ],
    ),
    // Content that is not what its kind, sum or target promised.
    (
        VALIDATION,
        &[
            "mismatch",
            "mismatched",
            "did not match",
            "does not match",
            "does not look like", // tar
            "doesn't look like",
            "has wrong length",         // nix
            "may not be deterministic", // nix: a build that differs when repeated
            "not in gzip format",
            "format not recognized",     // xz
            "file is not a database",    // sqlite
            "is not a * format archive", // dpkg
            "is not a public key file",  // ssh-keygen
            "is not a dynamic executable",
            "not a dynamic executable",               // ldd
            "does not appear to be a python project", // pip
            "unable to load certificate",             // openssl
            "unsupported",
            "not supported",
            "or higher is required", // cmake
            "is required to build",  // nix: for another system
        ],
    ),
    // In conflict with itself or with what is there already.
    (
        VALIDATION,
        &[
            "conflict",
            "conflicting",
            "unmet dependencies",   // apt
            "held broken packages", // apt
            "dependency problems",  // dpkg
            "eresolve",             // npm
            "collision between",    // nix
            "already exists",
            "already defined",
            "file exists",
            "is a directory",
            "not a directory",
            "not empty",
            "a subdirectory of itself",    // mv
            "omitting directory",          // cp
            "would be overwritten",        // git
            "non-fast-forward",            // git
            "unrelated histories",         // git
            "duplicate key",               // postgres
            "violates * constraint",       // postgres
            "constraint failed",           // sqlite
            "because --locked was passed", // cargo
        ],
    ),
];
