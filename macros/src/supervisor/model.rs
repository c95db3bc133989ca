//! The model of a supervisor: the struct, and the `#[child]` of each field.

use syn::{Attribute, Fields, Ident, ItemStruct, Meta, Type, Visibility};

use crate::errors::Errors;
use crate::options::supervision::{AutoShutdown, Strategy};
use crate::options::{Options, Place};
use crate::util::unraw;

const CHILD: &str = "child";

pub(crate) struct Declaration {
    /// The user's struct without `#[child]`.
    pub(crate) item: ItemStruct,
    pub(crate) options: Options,
    pub(crate) children: Vec<Child>,
}

pub(crate) struct Child {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) vis: Visibility,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) options: Options,
}

impl Declaration {
    pub(crate) fn read(mut item: ItemStruct, options: Options, errors: &mut Errors) -> Declaration {
        let mut children = Vec::new();
        for field in item.fields.iter_mut() {
            let child = read_options(&field.attrs, &options, errors);
            field.attrs.retain(|attr| !attr.path().is_ident(CHILD));
            let Some(ident) = field.ident.clone() else { continue };
            let (ty, vis, attrs) = (field.ty.clone(), field.vis.clone(), field.attrs.clone());
            children.push(Child { ident, ty, vis, attrs, options: child });
        }
        if matches!(item.fields, Fields::Unit) {
            children.clear();
        }
        Declaration { item, options, children }
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.options.strategy.unwrap_or(Strategy::OneForOne)
    }

    pub(crate) fn auto_shutdown(&self) -> AutoShutdown {
        self.options.auto_shutdown.unwrap_or(AutoShutdown::Never)
    }

    /// Returns why none of its children can be significant, if that is so.
    pub(crate) fn never_significant(&self, id: &str) -> Option<String> {
        match (self.strategy(), self.auto_shutdown()) {
            (Strategy::Dynamic, _) => {
                Some(format!("child `{id}` of a dynamic supervisor cannot be significant"))
            }
            (_, AutoShutdown::Never) => Some(format!(
                "child `{id}` is significant, but the supervisor's auto_shutdown is `never`: write `auto_shutdown = any_significant`, or `all_significant`"
            )),
            _ => None,
        }
    }
}

impl Child {
    /// Returns the child's name among its siblings.
    pub(crate) fn id(&self) -> String {
        unraw(&self.ident)
    }

    pub(crate) fn attributes(&self, name: &'static str) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident(name)).collect()
    }
}

/// Reads the `#[child(..)]` of a field.
fn read_options(attrs: &[Attribute], supervisor: &Options, errors: &mut Errors) -> Options {
    let mut given = attrs.iter().filter(|attr| attr.path().is_ident(CHILD));
    let mut options = match given.next().map(|attr| &attr.meta) {
        Some(Meta::List(list)) => Options::parse(Place::Child, list.tokens.clone(), errors),
        Some(Meta::NameValue(pair)) => {
            errors.at(&pair.value, "options stand in parentheses: `#[child(restart = transient)]`");
            Options::default()
        }
        Some(Meta::Path(_)) | None => Options::default(),
    };
    for second in given {
        errors.at(second, "`#[child]` is given twice: put all options into one");
    }
    options.krate = supervisor.krate.clone();
    options
}
