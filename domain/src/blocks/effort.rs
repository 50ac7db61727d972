//! The work between one block and the next.

use crate::units::Units;

/// Where a block ends on the line of all work: behind its own share. `None` if that does not fit.
pub const fn end(total_before: Units, own: Units) -> Option<Units> {
    total_before.checked_add(own)
}

/// The work that a block took which ends here, since the block before ended there, or since the first share.
///
/// A block that was learnt of late may stand behind one that ends later; then it took none.
pub fn effort(end: Units, end_before: Option<Units>) -> Units {
    end.saturating_sub(end_before.unwrap_or(Units::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_is_what_lies_between_two_ends() {
        let units = Units::from_raw;
        assert_eq!(end(units(5), units(7)), Some(units(12)));
        assert_eq!(end(units(u128::MAX), units(1)), None);
        assert_eq!(effort(units(12), None), units(12));
        assert_eq!(effort(units(12), Some(units(5))), units(7));
        assert_eq!(effort(units(5), Some(units(5))), Units::ZERO);
        assert_eq!(effort(units(4), Some(units(5))), Units::ZERO);
    }
}
