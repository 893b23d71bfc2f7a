//! Enums whose numbers callers of every language see: one table each, which also makes the C header.

/// Makes an enum of rows: variant, number in the C interface, name, meaning. Numbers never change and are never used again for
/// something else.
macro_rules! numbered {
    (
        $(#[$on_enum:meta])*
        pub enum $Enum:ident {
            $($(#[$on_variant:meta])* $variant:ident = $number:literal, $name:literal, $meaning:literal;)*
        }
    ) => {
        $(#[$on_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(i32)]
        pub enum $Enum {
            $(#[doc = $meaning] $(#[$on_variant])* $variant = $number,)*
        }

        impl $Enum {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name: words in lower case, joined by `_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The number in the C interface.
            pub fn number(self) -> i32 {
                self as i32
            }
        }
    };
}

pub(crate) use numbered;
