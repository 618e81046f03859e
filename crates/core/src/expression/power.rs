//! Powers of floats, rounded as Go rounds them.
//!
//! The library's are more exact, and so differ in the last digit, which a template would show. It is Go's way on amd64 with
//! fused multiplication: to the last digit, Go's own answer depends on the processor.

pub(super) fn power(base: f64, exponent: f64) -> f64 {
    let is_plain = base.is_finite() && exponent.is_finite() && base != 0.0 && base != 1.0;
    // Beyond this no integer is odd, and the library is exact.
    if !is_plain || exponent == 0.0 || exponent.abs() >= 2_f64.powi(62) {
        return base.powf(exponent);
    }
    if exponent == 1.0 {
        return base;
    }
    if exponent.abs() == 0.5 {
        let root = base.sqrt();
        return if exponent < 0.0 { 1.0 / root } else { root };
    }
    let (mut whole, mut part) = (exponent.abs().trunc(), exponent.abs().fract());
    if part != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    let mut result = Scaled { mantissa: 1.0, scale: 0 };
    if part != 0.0 {
        if part > 0.5 {
            part -= 1.0;
            whole += 1.0;
        }
        result.mantissa = exponential(part * logarithm(base));
    }
    let mut square = Scaled::of(base);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^62, whole")]
    let mut bits = whole as u64;
    while bits != 0 {
        if square.scale.abs() > 1 << 12 {
            // Far out of range, one way or the other.
            result.scale += square.scale;
            break;
        }
        if bits & 1 == 1 {
            result.mantissa *= square.mantissa;
            result.scale += square.scale;
        }
        square.mantissa *= square.mantissa;
        square.scale *= 2;
        if square.mantissa < 0.5 {
            square.mantissa *= 2.0;
            square.scale -= 1;
        }
        bits >>= 1;
    }
    if exponent < 0.0 {
        result = Scaled { mantissa: 1.0 / result.mantissa, scale: -result.scale };
    }
    result.value()
}

/// `e^x`, for an x that is not near the end of the range: what is left of powers of two, by a series for a sixteenth of it.
fn exponential(x: f64) -> f64 {
    // The logarithm of 2 in two parts, the first with few enough bits to be multiplied exactly.
    const LN_2: [f64; 2] = [0.693_147_180_559_663, 2.823_529_056_303_157_7e-13];
    let twos = (x * std::f64::consts::LOG2_E).round_ties_even();
    let x = LN_2.iter().fold(x, |x, part| (-twos).mul_add(*part, x)) * 0.0625;
    let series = [5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0];
    let sum = series.iter().fold(1.0 / 40_320.0, |sum: f64, n| sum.mul_add(x, 1.0 / n));
    // Four times `(1 + y)^2 - 1`.
    let mut y = x * sum;
    for _ in 0..3 {
        y *= y + 2.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "some hundred at most")]
    let scale = twos as i32;
    Scaled { mantissa: y.mul_add(y + 2.0, 1.0), scale }.value()
}

/// The natural logarithm, by a polynomial around 1.
fn logarithm(x: f64) -> f64 {
    const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    const EVEN: [f64; 3] =
        [0.153_138_376_992_093_73, 0.222_221_984_321_497_84, 0.399_999_999_994_094_2];
    const ODD: [f64; 4] = [
        0.147_981_986_051_165_86,
        0.181_835_721_616_180_5,
        0.285_714_287_436_623_9,
        0.666_666_666_666_673_5,
    ];
    let Scaled { mut mantissa, mut scale } = Scaled::of(x);
    if mantissa <= std::f64::consts::FRAC_1_SQRT_2 {
        mantissa *= 2.0;
        scale -= 1;
    }
    let (f, twos) = (mantissa - 1.0, f64::from(scale));
    let s = f / (2.0 + f);
    let (square, fourth) = (s * s, (s * s) * (s * s));
    let polynomial = |of: &[f64]| of[1..].iter().fold(of[0], |sum, next| sum * fourth + next);
    let rest = square * polynomial(&ODD) + fourth * polynomial(&EVEN);
    let half = 0.5 * f * f;
    twos * LN_2[0] - ((half - (s * (half + rest) + twos * LN_2[1])) - f)
}

/// `mantissa * 2^scale`.
struct Scaled {
    mantissa: f64,
    scale: i32,
}

impl Scaled {
    /// With a mantissa from a half up to one.
    fn of(float: f64) -> Self {
        // Those without a leading bit get one first.
        let (float, extra) = if float.abs() < f64::MIN_POSITIVE {
            (float * 2_f64.powi(52), -52)
        } else {
            (float, 0)
        };
        let bits = float.to_bits();
        let biased = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
        let mantissa = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
        Self { mantissa, scale: biased - 1022 + extra }
    }

    fn value(&self) -> f64 {
        // In two steps, each within the range of an exponent.
        let scale = self.scale.clamp(-4_000, 4_000);
        let mut value = self.mantissa;
        let mut left = scale;
        while left != 0 {
            let step = left.clamp(-1_000, 1_000);
            value *= 2_f64.powi(step);
            left -= step;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn a_power_is_gos_to_the_last_bit() {
        for (base, exponent, expected) in [
            (5.0, 2.5, 55.901_699_437_494_74_f64),
            (84.0, 1.5, 769.872_716_752_580_9),
            (3.0, -2.5, 0.064_150_029_909_958_43),
            (2.0, -1.0, 0.5),
            (2.0, 10.0, 1024.0),
            (-2.0, 3.0, -8.0),
            (0.0, 0.0, 1.0),
            (4.0, 0.5, 2.0),
            (10.0, 400.0, f64::INFINITY),
            (10.0, -400.0, 0.0),
            (1e-310, 2.0, 0.0),
        ] {
            assert_eq!(power(base, exponent), expected, "{base} ** {exponent}");
        }
        assert!(power(-2.0, 0.5).is_nan());
    }
}
