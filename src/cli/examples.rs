//! What help shows at its end: lines to copy. A test reads every one of them as a command line.

macro_rules! examples {
    ($($name:ident: $first:literal $(, $more:literal)*;)*) => {
        $(pub const $name: &str = concat!("Examples:\n  ", $first $(, "\n  ", $more)*);)*
    };
}

examples! {
    INIT:
        "opsctl init my-project",
        "opsctl init --template digits my-project";
    CHECK:
        "opsctl check",
        "opsctl --env prod check -o json";
    PLAN:
        "opsctl plan",
        "opsctl plan --why",
        "opsctl plan --format markdown",
        "opsctl --env prod plan --out plan.bin --detailed-exitcode";
    DEPLOY:
        "opsctl deploy",
        "opsctl --sandbox deploy --yes",
        "opsctl --env prod deploy --plan plan.bin",
        "opsctl deploy --yes --wait=30m";
    UPLOAD:
        "opsctl upload",
        "opsctl upload digits --dry-run";
    DATA:
        "opsctl data pull digits --to copy";
    MODEL:
        "opsctl model pull numbers --to model.tar.gz";
    TRAIN:
        "opsctl train",
        "opsctl train numbers --yes";
    NOTEBOOK:
        "opsctl notebook start",
        "opsctl notebook url";
    SCALE:
        "opsctl scale --max 8",
        "opsctl scale numbers --min 2 --target 100 --yes";
    INVOKE:
        "opsctl invoke",
        "opsctl invoke --endpoint numbers --file event.json",
        "opsctl invoke --file dog.jpg",
        "opsctl invoke --file rows.csv --accept text/csv --to answer.csv";
    STATUS:
        "opsctl status",
        "opsctl --env prod status -o json";
    REPORT:
        "opsctl report",
        "opsctl report --invoke --out report.html",
        "opsctl --env prod report --out report.md --since 7d --audit account";
    STOP:
        "opsctl stop training/numbers",
        "opsctl stop notebook/lab";
    START:
        "opsctl start notebook/lab";
    OPEN:
        "opsctl open notebook/lab",
        "opsctl open endpoint/numbers";
    LOGS:
        "opsctl logs training/numbers",
        "opsctl logs -f endpoint/numbers";
    DESTROY:
        "opsctl destroy --dry-run",
        "opsctl --env staging destroy";
    LEASE:
        "opsctl lease show",
        "opsctl lease break";
    AUDIT_IAM:
        "opsctl audit-iam --fail-on high",
        "opsctl audit-iam --input roles.json --format sarif",
        "opsctl audit-iam --input plan.json --against roles.json",
        "opsctl audit-iam explain deployer s3:GetObject arn:aws:s3:::bucket/key";
    SCHEMA:
        "opsctl schema",
        "opsctl schema events";
    DOCTOR:
        "opsctl doctor",
        "opsctl --env prod doctor -o json";
    POLICY:
        "opsctl policy deployer --account 123456789012",
        "opsctl policy planner --any-name",
        "opsctl policy role training/breeds --account 123456789012",
        "opsctl policy github-trust --repository me/digits --environment prod";
    SANDBOX:
        "opsctl sandbox serve --speed 60",
        "opsctl sandbox reset";
    COMPLETIONS:
        "opsctl completions bash > ~/.local/share/bash-completion/completions/opsctl";
    MAN:
        "opsctl man ~/.local/share/man/man1";
    EXPLAIN:
        "opsctl explain E203",
        "opsctl explain IAM306";
}
