//! The service's regions that have an endpoint of the JSON API: the only table of them.
//!
//! Its codes are shorter and older than the names that the XML API has for the same places. Which code a place has is told
//! by the migration guides, and both lists of names by the XML API's client libraries. Regions that were opened later have no
//! endpoint of the JSON API.

use std::fmt;

/// What the nine hosts of regions end with, after the region's code (the request pages).
const HOST: &str = "file.myqcloud.com";

/// The host of `files/v1`, for all regions (the page of `upload_slice`).
pub const V1_HOST: &str = "web.file.myqcloud.com";

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The code that its host begins with.
    pub code: &'static str,
    /// Where it is.
    pub place: &'static str,
    /// The XML API's name of it.
    pub xml_name: &'static str,
    /// The older name that the XML API had for it, where it had another.
    pub older_xml_name: Option<&'static str>,
}

macro_rules! regions {
    ($($code:literal $place:literal $xml_name:literal $older_xml_name:expr;)*) => {
        /// The regions, from north to south and then abroad.
        pub const REGIONS: &[Region] = &[$(Region {
            code: $code,
            place: $place,
            xml_name: $xml_name,
            older_xml_name: $older_xml_name,
        }),*];
    };
}

regions! {
    "tj"  "Tianjin"   "ap-beijing-1"  Some("cn-north");
    "bj"  "Beijing"   "ap-beijing"    None;
    "sh"  "Shanghai"  "ap-shanghai"   Some("cn-east");
    "gz"  "Guangzhou" "ap-guangzhou"  Some("cn-south");
    "cd"  "Chengdu"   "ap-chengdu"    Some("cn-southwest");
    "hk"  "Hong Kong" "ap-hongkong"   None;
    "sgp" "Singapore" "ap-singapore"  Some("sg");
    "ca"  "Toronto"   "na-toronto"    None;
    "ger" "Frankfurt" "eu-frankfurt"  None;
}

/// What a text is as the name of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The code of a region in the table.
    Known(&'static Region),
    /// The XML API's name, or an older one, of a region in the table.
    ByXmlName(&'static Region),
    /// It looks like the XML API's names, and is none of a region in the table.
    OtherXmlName,
    /// Anything else: perhaps the code of a region that is not known here.
    Unknown,
}

/// What a text is as the name of a region.
pub fn named(text: &str) -> Named {
    let by_code = REGIONS.iter().find(|region| region.code == text);
    let by_xml_name = || {
        REGIONS
            .iter()
            .find(|region| region.xml_name == text || region.older_xml_name == Some(text))
    };
    match (by_code, by_xml_name()) {
        (Some(region), _) => Named::Known(region),
        (None, Some(region)) => Named::ByXmlName(region),
        (None, None) if looks_like_xml(text) => Named::OtherXmlName,
        (None, None) => Named::Unknown,
    }
}

/// As `ap-nanjing`, `ap-shenzhen-fsi` and `cn-south-2` do: letters, a hyphen, letters, and perhaps more.
fn looks_like_xml(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut is_word = || {
        parts
            .next()
            .is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    is_word() && is_word()
}

/// The host of a region by its code, known or not.
pub fn host(code: &str) -> String {
    format!("{code}.{HOST}")
}

/// All codes with their places, as messages list them.
#[derive(Clone, Copy, Debug)]
pub struct List;

impl fmt::Display for List {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Region { code, place, .. }) in REGIONS.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(out, "{separator}{code} ({place})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_nine_regions_and_no_name_is_twos() {
        assert_eq!(REGIONS.len(), 9);
        let mut names: Vec<&str> = REGIONS.iter().map(|region| region.code).collect();
        names.extend(REGIONS.iter().map(|region| region.xml_name));
        names.extend(REGIONS.iter().filter_map(|region| region.older_xml_name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), all), (23, 23));
    }

    #[test]
    fn each_region_is_found_by_each_of_its_names() {
        for region in REGIONS {
            assert_eq!(named(region.code), Named::Known(region));
            for name in [Some(region.xml_name), region.older_xml_name]
                .into_iter()
                .flatten()
            {
                assert_eq!(named(name), Named::ByXmlName(region), "{name}");
            }
        }
    }

    #[test]
    fn names_of_the_xml_api_are_told_from_codes_that_are_not_known() {
        for name in [
            "ap-nanjing",
            "ap-mumbai",
            "na-siliconvalley",
            "ap-shenzhen-fsi",
            "cn-south-2",
            "sa-saopaulo",
        ] {
            assert_eq!(named(name), Named::OtherXmlName, "{name}");
        }
        for name in [
            "",
            "xx",
            "cn",
            "usw",
            "web",
            "a1",
            "x-1",
            "1-x",
            "-ap",
            "ap-",
            "ap--x",
            "AP-NANJING",
        ] {
            assert_eq!(named(name), Named::Unknown, "{name}");
        }
    }

    #[test]
    fn the_list_has_codes_and_places() {
        let list = List.to_string();
        assert!(
            list.starts_with("tj (Tianjin), bj (Beijing), ") && list.ends_with(", ger (Frankfurt)"),
            "{list}"
        );
        assert_eq!(host("gz"), "gz.file.myqcloud.com");
    }
}
