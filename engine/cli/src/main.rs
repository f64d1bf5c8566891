mod auditor;
fn main(){}
