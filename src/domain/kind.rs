//! The closed list of kinds, in the order of dependency: a kind refers only to kinds above it.

macro_rules! kinds {
    ($($variant:ident { name: $name:literal, words: $words:literal, longest: $longest:literal })*) => {
        /// A kind of resource.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum KindName { $($variant),* }

        impl KindName {
            /// In the order of dependency.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word the user types: `endpoint`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The words of a sentence: `endpoint configuration`.
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => $words),* }
            }

            /// How many characters AWS allows for the physical name (docs/aws/iam.md#limits,
            /// docs/aws/s3.md#limits, docs/aws/sagemaker.md#names, docs/aws/lambda.md#limits).
            pub fn longest_name(self) -> usize {
                match self { $(Self::$variant => $longest),* }
            }
        }
    };
}

kinds! {
    Bucket { name: "bucket", words: "bucket", longest: 63 }
    Data { name: "data", words: "data set", longest: 1024 }
    LogGroup { name: "log-group", words: "log group", longest: 512 }
    Role { name: "role", words: "role", longest: 64 }
    Schedule { name: "schedule", words: "schedule", longest: 64 }
    Training { name: "training", words: "training job", longest: 63 }
    Instance { name: "instance", words: "EC2 training job", longest: 63 }
    Model { name: "model", words: "model", longest: 63 }
    EndpointConfig { name: "endpoint-config", words: "endpoint configuration", longest: 63 }
    Endpoint { name: "endpoint", words: "endpoint", longest: 63 }
    Autoscaling { name: "autoscaling", words: "autoscaling", longest: 1600 }
    Function { name: "function", words: "function", longest: 64 }
    Concurrency { name: "concurrency", words: "provisioned concurrency", longest: 256 }
    Notebook { name: "notebook", words: "notebook", longest: 63 }
}

impl std::fmt::Display for KindName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for KindName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|k| k.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|k| k.as_str()).collect();
            format!("`{text}` is not a kind; kinds are {}", known.join(", "))
        })
    }
}
