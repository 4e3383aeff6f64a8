//! The user's own code is broken: opsctl says which line failed, and where the whole log is.

use crate::support::World;

/// Puts a line that fails in front of `before`, and tells its number.
fn break_at(world: &World, file: &str, before: &str, indent: &str) -> String {
    world.edit(file, before, &format!("{indent}nobody_knows_this\n{before}"));
    let text = world.read(file);
    let line = text.lines().position(|line| line.trim() == "nobody_knows_this").expect("it was put there");
    format!("line {}", line + 1)
}

fn mend(world: &World, file: &str) {
    let text = world.read(file);
    let lines: Vec<&str> = text.lines().filter(|line| line.trim() != "nobody_knows_this").collect();
    world.write(file, &(lines.join("\n") + "\n"));
}

const WHY: &str = "NameError: name 'nobody_knows_this' is not defined";

/// Training script, inference script, handler when it is imported, handler when it is called: one after the
/// other, because each stands on the one before.
#[test]
fn whatever_breaks_its_line_and_its_log_are_named() {
    let world = World::shipped().sandbox();
    let config = "config/opsctl.toml";
    world.edit(config, "# source                = \"function\"", "source = \"function\" #");
    world.edit(config, "handler                 = \"handler.lambda_handler\"", "handler = \"app.handler\"");
    let (training, serving, function) =
        ("config/training/train.py", "config/serving/inference.py", "config/function/app.py");
    world.write(function, "def handler(event, context):\n    answer = 42\n    return answer\n");

    let line = break_at(&world, training, "    arguments = parse_arguments()", "    ");
    let ran = world.run(["deploy", "--yes"]).ended(1).says(WHY).says("/opt/ml/code/train.py\", ");
    ran.says(&format!("{line}, in main")).says("opsctl --sandbox logs training/numbers");
    world.run(["logs", "training/numbers"]).success().says(WHY);
    mend(&world, training);

    let line = break_at(&world, serving, "def model_fn(model_dir):", "");
    let ran = world.run(["deploy", "--yes"]).ended(1).says(WHY).says("/opt/ml/model/code/inference.py\", ");
    ran.says(&line).says("opsctl --sandbox logs endpoint/numbers");
    world.run(["logs", "endpoint/numbers"]).success().says(WHY);
    mend(&world, serving);

    let line = break_at(&world, function, "def handler(event, context):", "");
    let ran = world.run(["deploy", "--yes"]).ended(1).says("FUNCTION_ERROR_INIT_FAILURE").says(WHY);
    ran.says(&format!("\"/var/task/app.py\", {line}")).says("opsctl --sandbox logs function/classify");
    mend(&world, function);

    let line = break_at(&world, function, "    return answer", "    ");
    world.run(["deploy", "--yes"]).success();
    let ran = world.run(["invoke"]).ended(1).says(WHY);
    ran.says(&format!("\"/var/task/app.py\", {line}, in handler"))
        .says("opsctl --sandbox logs function/classify");
    world.run(["logs", "function/classify"]).success().says(WHY);
}
