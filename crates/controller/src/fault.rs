//! Ways to die or to stand still at the worst moment, for the end-to-end tests. Without the feature `fault-points` there are
//! none, and nothing here does anything.

#[cfg(not(feature = "fault-points"))]
mod none {
    #[derive(Default)]
    pub struct Faults {}

    impl Faults {
        pub fn before_assign(&self) {}
        pub fn after_assign(&self) {}
        pub fn after_patch(&self) {}
        pub fn held(&self) -> bool {
            false
        }
    }
}

#[cfg(not(feature = "fault-points"))]
pub use none::Faults;

#[cfg(feature = "fault-points")]
mod some;

#[cfg(feature = "fault-points")]
pub use some::Faults;

#[cfg(feature = "fault-points")]
pub(crate) use some::routes;
