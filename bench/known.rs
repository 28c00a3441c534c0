//! What `cargo xtask bench coverage` tries its measure on: each line with code says at its end whether it runs. As LLVM has it, the
//! line on which a closure ends is the closure's, and one that only opens or closes a block of a `match` is nobody's.

fn sign(n: i32) -> &'static str { // runs
    if n < 0 { // runs
        return "negative"; // never
    } // runs
    match n { // runs
        0 => "zero", // runs
        1 => {
            let one = "one"; // never
            one // never
        }
        _ => "more", // never
    }
} // runs

fn never<T: Default>() -> T { // never
    T::default() // never
} // never

struct Pair {
    left: i32,
    right: i32,
}

fn sum(text: &str) -> Result<i32, String> { // runs
    let left: i32 = text.parse().map_err(|_| { // runs
        format!("no number: {text}") // never
    })?; // never
    let pair = Pair { // runs
        left, // runs
        right: 2, // runs
    }; // runs
    let odd = [1, 2].iter().filter(|n| *n % 2 == 1).map(|n| { // runs
        n * 2 // runs
    }); // runs
    Ok(pair.left + pair.right + odd.sum::<i32>()) // runs
} // runs

fn main() { // never
    println!("{}", never::<i32>()); // never
} // never

#[cfg(test)]
mod tests {
    /// Ends as what is killed does: what ran before counts.
    #[test]
    fn some_of_it_runs() {
        assert_eq!((super::sign(0), super::sum("5")), ("zero", Ok(9)));
        std::process::abort();
    }
}
