//! How much of a container is played here, by its image. The one table of what AWS's images do with a model
//! when the user's code does not say.

/// Whose defaults serve a model (`model_server.py` has them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handlers {
    /// PyTorch's, where it is installed, else those of AWS's toolkit alone. Images of others have them too.
    #[default]
    Torch,
    Sklearn,
    Xgboost,
    HuggingFace,
}

impl Handlers {
    /// Those of an image.
    pub fn of(image: &str) -> Self {
        family(image).and_then(|family| family.handlers.ok()).unwrap_or_default()
    }

    /// Whether its server runs pip in the folder of the code, and installs that if it is a package: the first
    /// toolkit does (`pip install . -r requirements.txt`, `modules.py` of sagemaker-containers), which
    /// scikit-learn's and XGBoost's containers have. The second names the file and runs elsewhere
    /// (`model_server.py` of sagemaker-inference, `torchserve.py` of sagemaker-pytorch-inference-toolkit).
    pub fn installs_in_the_folder(self) -> bool {
        matches!(self, Self::Sklearn | Self::Xgboost)
    }

    /// Its name in `model_server.py`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Sklearn => "sklearn",
            Self::Xgboost => "xgboost",
            Self::HuggingFace => "huggingface",
        }
    }
}

/// What becomes of a container here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// As in AWS's image, with the packages that `requirements.txt` names.
    AsAws,
    /// In another way, which this says.
    Otherwise(&'static str),
    /// Not at all, and this is why.
    Not(&'static str),
}

struct Family {
    /// How the name of its repositories begins.
    repository: &'static str,
    /// Whose defaults it has, or why its server is not played.
    handlers: Result<Handlers, &'static str>,
    /// Whether it serves a model without any code of the user's.
    serves_alone: bool,
}

const SERVING: &str = "its server is TensorFlow Serving, which is no Python program";
const FETCHES: &str = "its server is a program in the image, which the sandbox does not pull";

/// The first that fits counts; repositories:
/// <https://github.com/aws/deep-learning-containers/blob/master/available_images.md>, handlers:
/// aws/sagemaker-pytorch-inference-toolkit `default_pytorch_inference_handler.py`,
/// aws/sagemaker-scikit-learn-container `serving.py`, aws/sagemaker-xgboost-container `handler_service.py`,
/// aws/sagemaker-huggingface-inference-toolkit `handler_service.py`.
const FAMILIES: &[Family] = &[
    family_of("pytorch-", Ok(Handlers::Torch), true),
    family_of("sagemaker-pytorch", Ok(Handlers::Torch), true),
    family_of("autogluon-", Ok(Handlers::Torch), false),
    family_of("mxnet-", Ok(Handlers::Torch), false),
    family_of("sagemaker-scikit-learn", Ok(Handlers::Sklearn), false),
    family_of("sagemaker-xgboost", Ok(Handlers::Xgboost), false),
    family_of("huggingface-pytorch-inference", Ok(Handlers::HuggingFace), true),
    family_of("huggingface-tensorflow-inference", Ok(Handlers::HuggingFace), true),
    family_of("huggingface-pytorch-training", Ok(Handlers::HuggingFace), true),
    family_of("huggingface-", Err(FETCHES), true),
    family_of("tensorflow-", Err(SERVING), true),
    family_of("sagemaker-tensorflow", Err(SERVING), true),
    family_of("djl-inference", Err(FETCHES), true),
];

const fn family_of(
    repository: &'static str,
    handlers: Result<Handlers, &'static str>,
    serves_alone: bool,
) -> Family {
    Family { repository, handlers, serves_alone }
}

fn family(image: &str) -> Option<&'static Family> {
    let (_, path) = image.split_once('/')?;
    FAMILIES.iter().find(|family| path.starts_with(family.repository))
}

/// How a job with a script in this image is played.
pub fn training(image: &str) -> Played {
    match family(image) {
        Some(_) => Played::AsAws,
        None => Played::Otherwise(
            "it runs the script with this machine's Python, as AWS's containers do: nothing of the image is used",
        ),
    }
}

/// How a model is played that has this image, and whether code of the user's is with it.
pub fn serving(image: &str, has_code: bool) -> Played {
    match family(image) {
        Some(Family { handlers: Err(why), .. }) => Played::Not(why),
        Some(Family { serves_alone: false, .. }) if !has_code => {
            Played::Not("without code its server is a program in the image, which the sandbox does not pull")
        }
        Some(_) => Played::AsAws,
        None if !has_code => Played::Not(FETCHES),
        None => Played::Otherwise(
            "it serves the code's model_fn and predict_fn as AWS's PyTorch container does: nothing of the image is used",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(path: &str) -> String {
        format!("763104351884.dkr.ecr.us-east-1.amazonaws.com/{path}")
    }

    #[test]
    fn a_family_is_known_by_its_repository() {
        for (path, handlers) in [
            ("pytorch-inference:2.6.0-cpu-py312", Handlers::Torch),
            ("sagemaker-scikit-learn:1.2-1-cpu-py3", Handlers::Sklearn),
            ("sagemaker-xgboost:1.7-1", Handlers::Xgboost),
            ("huggingface-pytorch-inference:2.6.0-transformers4.49.0-cpu-py312", Handlers::HuggingFace),
            ("team/server:1", Handlers::Torch),
        ] {
            assert_eq!(Handlers::of(&image(path)), handlers, "{path}");
        }
    }

    #[test]
    fn what_has_a_server_of_its_own_is_not_played() {
        let serves = |path, has_code| serving(&image(path), has_code);
        assert!(matches!(serves("tensorflow-inference:2.19.0-cpu", true), Played::Not(_)));
        assert!(matches!(serves("djl-inference:0.33.0-lmi15.0.0-cu128", true), Played::Not(_)));
        assert!(matches!(serves("huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6", false), Played::Not(_)));
        assert!(matches!(serves("sagemaker-xgboost:1.7-1", false), Played::Not(_)));
        assert_eq!(serves("sagemaker-xgboost:1.7-1", true), Played::AsAws);
        assert_eq!(serves("pytorch-inference:2.6.0-cpu-py312", false), Played::AsAws);
        assert!(matches!(serves("team/server:1", true), Played::Otherwise(_)));
        assert_eq!(training(&image("tensorflow-training:2.19.0-cpu-py312")), Played::AsAws);
        assert!(matches!(training(&image("team/trainer:1")), Played::Otherwise(_)));
    }
}
